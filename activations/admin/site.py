"""The portal's admin site: navigation by job, the start page, and the addresses of the support desk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse

from activations.admin import (
    answering,
    automatic_answers,
    confirm,
    conversation,
    deactivation,
    desk,
    exports,
    inbox,
    mail_files,
    outgoing,
    replies,
    several,
)
from activations.admin.access import DESK, may
from activations.admin.audit import as_of, check, figures, standing_out, story
from activations.admin.home import home
from activations.admin.search import search
from activations.domain.words import Ability


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
    "Licenses": ("license", "activation", "usagerequest", "usagelicense", "reply", "customer"),
    "Restorations": ("restoration", "tombstone"),
    "Audit": ("ledgerentry", "staffevent", "intakeentry"),
    "Settings": ("product", "replytext", "signingkey", "webhookendpoint", "webhookdelivery", "apitoken", "auth.user"),
}


AUDIT_PAGES = {
    "As of a day": "audit_as_of",
    "What stands out": "audit_standing_out",
    "Who decided what": "audit_decisions",
    "Figures": "audit_figures",
    "Check": "audit_check",
}

# After these pages what was pasted needs no keeping any more: it was answered, or booked.
ANSWERS = ("desk_result", "desk_deactivated")


def _or_desk(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A page that only takes forms. Who had to sign in first comes back to its address without one: to the finding of
    the mail that was answered there, or to the desk, where the box has what was pasted (portal.js).
    """

    @wraps(view)
    def taken(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method in ("GET", "HEAD"):
            finding = answering.finding_of(request)
            return redirect("admin:inbox_finding", finding) if finding else redirect("admin:desk")
        return view(request, *args, **kwargs)

    return taken


def _of_the_box(request: HttpRequest) -> dict[str, Any]:
    """What is left of a text with several things in it, and whether the browser may forget what was in the box."""
    place = request.resolver_match.url_name if request.resolver_match else None
    if not place or not place.startswith("desk"):
        return {}
    left = several.left(request)
    answered = request.method == "POST" or place in ANSWERS
    return {"desk_left": left if place != "desk_rest" else None, "box_answered": answered and left is None}


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
            page("rest/", several.rest, "desk_rest"),
            page("confirm/", _or_desk(confirm.confirm), "desk_confirm"),
            page("requests/<str:request_id>/", desk.stored_request, "desk_request"),
            page("requests/<str:request_id>/result/", confirm.result, "desk_result"),
            page("requests/<str:request_id>/usage-license.txt", confirm.download, "desk_download"),
            page("requests/<str:request_id>/reply.txt", confirm.download_reply, "desk_download_reply"),
            page("keep-reply/", _or_desk(replies.keep_reply), "desk_keep_reply"),
            page("deactivate/", _or_desk(deactivation.deactivate), "desk_deactivate"),
            page("deactivated/<str:activation_id>/", deactivation.deactivated, "desk_deactivated"),
            *self._mail_urls(),
            *self._audit_urls(),
            path("exports/", self.admin_view(exports.exports), name="exports"),
            path("exports/<int:pk>/file/", self.admin_view(exports.exported_file), name="exported_file"),
            path("search/", self.admin_view(search), name="search"),
            *super().get_urls(),
        ]

    def _mail_urls(self) -> list[URLPattern]:
        def page(route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
            return path(route, self.admin_view(view), name=name)

        return [
            page("inbox/", inbox.inbox, "inbox"),
            page("inbox/bring/", inbox.bring, "inbox_bring"),
            page("inbox/paste/", inbox.paste, "inbox_paste"),
            page("inbox/<int:pk>/", conversation.conversation, "inbox_conversation"),
            page("inbox/<int:pk>/change/", conversation.change, "inbox_change"),
            page("inbox/<int:pk>/note/", conversation.note, "inbox_note"),
            page("inbox/<int:pk>/reply/", conversation.write, "inbox_write"),
            page("inbox/findings/<int:pk>/open/", conversation.open_finding, "inbox_open"),
            page("inbox/findings/<int:pk>/", conversation.finding, "inbox_finding"),
            page("inbox/mails/<int:pk>/files/<int:number>/", mail_files.attachment, "inbox_attachment"),
            page("inbox/mails/<int:pk>/original.eml", mail_files.original, "inbox_original"),
            page("outbox/<int:pk>/decide/", outgoing.decide, "outbox_decide"),
            page("automatic-answers/", automatic_answers.automatic, "automatic_answers"),
        ]

    def _audit_urls(self) -> list[URLPattern]:
        def page(route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
            return path(f"audit/{route}", self.admin_view(view), name=name)

        return [
            page("as-of/", as_of.as_of, "audit_as_of"),
            page("standing-out/", standing_out.standing_out, "audit_standing_out"),
            page("decisions/", standing_out.who_decided, "audit_decisions"),
            page("figures/", figures.figures, "audit_figures"),
            page("check/", check.check, "audit_check"),
            page("activations/<str:activation_id>/", story.story, "audit_story"),
        ]

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """A password is changed together with the row of the staff trail that says so."""
        with transaction.atomic():
            return super().password_change(request, extra_context)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        if context.get("has_permission"):
            context["nav"] = self._navigation(request)
            context["may_use_desk"] = may(request, *DESK)
            context["may_search"] = may(request)
            context.update(_of_the_box(request))
        return context

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**home(request), **(extra_context or {})})

    def app_index(  # type: ignore[override]  # it leads on instead of showing a page
        self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """Django's page of all tables of an app: here pages stand under jobs, so it is the start page."""
        return redirect("admin:index")

    def _navigation(self, request: HttpRequest) -> list[NavJob]:
        jobs = []
        items = [self._item(request, "Desk", reverse("admin:desk"))] if may(request, *DESK) else []
        if may(request, *inbox.READERS):
            items.append(self._item(request, "Inbox", reverse("admin:inbox")))
            items += [item for name in ("conversation", "outgoingmail") if (item := self._list_page(request, name))]
        if items:
            jobs.append(NavJob("Desk", items[0].url, any(item.current for item in items), tuple(items)))
        for job, names in JOBS.items():
            items = [item for name in names if (item := self._list_page(request, name)) is not None]
            if job == "Audit" and may(request, Ability.READ_LEDGER):
                items += [self._item(request, name, reverse(f"admin:{url}")) for name, url in AUDIT_PAGES.items()]
            if job == "Settings" and may(request, Ability.EDIT_REPLIES, Ability.READ_LEDGER):
                items.append(self._item(request, "Automatic answers", reverse("admin:automatic_answers")))
            if job == "Settings" and may(request):
                items.append(self._item(request, "API", reverse("api:docs")))
            if items:
                # The story of an activation has no place of its own in the navigation; it is reached from other pages.
                here = job == "Audit" and request.path.startswith(reverse("admin:audit_as_of").removesuffix("as-of/"))
                current = here or any(item.current for item in items)
                jobs.append(NavJob(job, items[0].url, current, tuple(items)))
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
