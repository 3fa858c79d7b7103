"""Addresses: the admin is the portal; /healthz is for load balancers and health checks."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from activations.online_page import activate
from licensing_portal.health import healthz

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/", include("activations.api.urls")),
    path("activate/", activate, name="activate"),
    path("healthz", healthz, name="healthz"),
]

handler500 = "activations.admin.errors.server_error"
