"""The portal's admin site: navigation by job, the start page, and the addresses of the support desk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse

from activations import queries
from activations.admin import confirm, deactivation, desk
from activations.admin.access import DESK, may
from activations.admin.forms import PasteForm


@dataclass(frozen=True)
class NavItem:
    name: str
    url: str
    current: bool


@dataclass(frozen=True)
class NavJob:
    """A job and the pages it is done on; the job's own link leads to the first of them."""

    name: str
    url: str
    current: bool
    items: tuple[NavItem, ...]


# Model names of the pages under each job, in the order in which they are shown.
JOBS: dict[str, tuple[str, ...]] = {
    "Licenses": ("license", "activation", "usagerequest", "usagelicense", "customer"),
    "Restorations": ("restoration", "tombstone"),
    "Audit": ("ledgerentry", "intakeentry"),
    "Settings": ("product", "signingkey", "auth.user"),
}


class PortalSite(admin.AdminSite):
    site_header = "Offline licensing"
    site_title = "Offline licensing"
    index_title = "What can we do for the customer?"
    site_url = None  # the portal is the admin: there is no other site to view
    enable_nav_sidebar = False  # the jobs in the header take its place
    empty_value_display = "-"

    def get_urls(self) -> list[URLPattern | URLResolver]:
        def page(route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
            return path(f"desk/{route}", self.admin_view(view), name=name)

        return [
            page("", desk.desk, "desk"),
            page("confirm/", confirm.confirm, "desk_confirm"),
            page("requests/<str:request_id>/", desk.stored_request, "desk_request"),
            page("requests/<str:request_id>/result/", confirm.result, "desk_result"),
            page("requests/<str:request_id>/usage-license.txt", confirm.download, "desk_download"),
            page("deactivate/", deactivation.deactivate, "desk_deactivate"),
            page("deactivated/<str:activation_id>/", deactivation.deactivated, "desk_deactivated"),
            *super().get_urls(),
        ]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        if context.get("has_permission"):
            context["nav"] = self._navigation(request)
            context["may_use_desk"] = may(request, *DESK)
        return context

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        context: dict[str, Any] = {}
        if may(request, *DESK):
            context["paste_form"] = PasteForm()
            context["waiting_requests"] = queries.pending_requests().count()
        if may(request):
            context["waiting_restorations"] = queries.open_restorations().count()
        return super().index(request, {**context, **(extra_context or {})})

    def _navigation(self, request: HttpRequest) -> list[NavJob]:
        jobs = []
        if may(request, *DESK):
            box = self._item(request, "Desk", reverse("admin:desk"))
            jobs.append(NavJob("Desk", box.url, box.current, (box,)))
        for job, names in JOBS.items():
            items = tuple(item for name in names if (item := self._list_page(request, name)) is not None)
            if items:
                jobs.append(NavJob(job, items[0].url, any(item.current for item in items), items))
        return jobs

    def _list_page(self, request: HttpRequest, name: str) -> NavItem | None:
        model = apps.get_model(name if "." in name else f"activations.{name}")
        page = self._registry.get(model)
        if page is None or not page.has_view_permission(request):
            return None
        meta = model._meta
        title = str(getattr(page, "nav_name", "") or meta.verbose_name_plural)
        url = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
        return self._item(request, title[:1].upper() + title[1:], url)

    @staticmethod
    def _item(request: HttpRequest, name: str, url: str) -> NavItem:
        return NavItem(name, url, request.path.startswith(url))
