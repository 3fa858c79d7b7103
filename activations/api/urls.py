"""The addresses of the API, version 1."""

from __future__ import annotations

from django.urls import path, re_path
from drf_spectacular.views import SpectacularJSONAPIView

from activations.api.activations import ActivationView, RestorationView
from activations.api.customers import CustomerView
from activations.api.exports import ExportView
from activations.api.ledger import CheckpointView, EntryView, ProofView
from activations.api.licenses import LicenseView
from activations.api.online import online_usage_request
from activations.api.page import docs
from activations.api.past import PastView
from activations.api.problems import no_such_address
from activations.api.requests import UsageRequestView

app_name = "api"

_LICENSE = "v1/licenses/<str:license_id>"

urlpatterns = [
    path("v1/openapi.json", SpectacularJSONAPIView.as_view(), name="openapi"),
    path("v1/docs", docs, name="docs"),
    path("v1/customers", CustomerView.as_view({"get": "list"})),
    path("v1/customers/<int:customer_id>", CustomerView.as_view({"get": "retrieve"})),
    path("v1/customers/<int:customer_id>/contacts", CustomerView.as_view({"post": "add_contact"})),
    path("v1/licenses", LicenseView.as_view({"get": "list", "post": "create"})),
    path(_LICENSE, LicenseView.as_view({"get": "retrieve", "patch": "partial_update"})),
    path(f"{_LICENSE}/suspend", LicenseView.as_view({"post": "suspend"})),
    path(f"{_LICENSE}/reinstate", LicenseView.as_view({"post": "reinstate"})),
    path(f"{_LICENSE}/revoke", LicenseView.as_view({"post": "revoke"})),
    path(f"{_LICENSE}/replace-key", LicenseView.as_view({"post": "replace_key"})),
    path("v1/usage-requests", UsageRequestView.as_view({"get": "list", "post": "create"})),
    path("v1/usage-requests/dry-run", UsageRequestView.as_view({"post": "dry_run"})),
    path("v1/usage-requests/<str:request_id>", UsageRequestView.as_view({"get": "retrieve"})),
    path("v1/activations", ActivationView.as_view({"get": "list"})),
    path("v1/activations/<str:activation_id>", ActivationView.as_view({"get": "retrieve"})),
    path("v1/activations/<str:activation_id>/mark-lost", ActivationView.as_view({"post": "mark_lost"})),
    path("v1/deactivations", ActivationView.as_view({"post": "deactivate"})),
    path("v1/restorations", RestorationView.as_view({"get": "list", "post": "create"})),
    path("v1/restorations/<str:restoration_id>", RestorationView.as_view({"get": "retrieve"})),
    path("v1/restorations/<str:restoration_id>/approve", RestorationView.as_view({"post": "approve"})),
    path("v1/restorations/<str:restoration_id>/deny", RestorationView.as_view({"post": "deny"})),
    path("v1/ledger/entries", EntryView.as_view({"get": "list"})),
    path("v1/ledger/entries/<str:chain>/<int:seq>", EntryView.as_view({"get": "retrieve"})),
    path("v1/ledger/checkpoints", CheckpointView.as_view({"get": "list"})),
    path("v1/ledger/checkpoints/<int:size>", CheckpointView.as_view({"get": "retrieve"})),
    path("v1/ledger/proofs/inclusion", ProofView.as_view({"get": "inclusion"})),
    path("v1/ledger/proofs/consistency", ProofView.as_view({"get": "consistency"})),
    path("v1/ledger/exports", ExportView.as_view({"get": "list", "post": "create"})),
    path("v1/ledger/exports/<int:export_id>", ExportView.as_view({"get": "retrieve", "delete": "cancel"})),
    path("v1/ledger/exports/<int:export_id>/file", ExportView.as_view({"get": "file"})),
    path("v1/as-of/licenses", PastView.as_view({"get": "licenses"})),
    path("v1/as-of/licenses/<str:license_id>", PastView.as_view({"get": "license"})),
    path("v1/online/usage-requests", online_usage_request, name="online"),
    re_path(r"^[\s\S]*$", no_such_address),
]
