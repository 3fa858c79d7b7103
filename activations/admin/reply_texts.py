"""Replies that went out, to read; and the texts they are written from, which license managers change."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache

from activations.admin.access import actor_of, may, needs
from activations.admin.base import PagedAdmin, TimeFilter, link, when
from activations.admin.filters import ValueFilter
from activations.admin.pages import page
from activations.domain import letters
from activations.domain.letters import LETTERS, LONGEST, PLACEHOLDERS, ReplyKind
from activations.domain.words import Ability
from activations.models import Reply, ReplyText
from activations.services import replies
from activations.services.replies import TextChanged, change_text
from activations.services.results import BadInput, lacking

SOURCE = "admin"


class KindFilter(ValueFilter):
    title = "reply"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.value, letter.title) for kind, letter in LETTERS.items()]


@admin.register(Reply)
class ReplyAdmin(PagedAdmin):
    """A Usage License in a reply is not shown: sending it again goes through the desk, which books it."""

    nav_name = "Replies"
    list_display = ["written", "what", "license_link", "customer", "host", "written_by"]
    list_display_links = ["written"]
    list_filter = [KindFilter, ("written_at", TimeFilter)]
    search_fields = [
        "license__license_id",
        "license__customer__name",
        "activation__activation_id",
        "request__hostname",
        "restoration__restoration_id",
    ]
    search_help_text = "License ID, customer, activation id, host or case"
    public_id = ("LIC", "license__license_id")
    date_hierarchy = "written_at"
    export_columns = {
        "written": "written_at",
        "reply": lambda row: LETTERS[ReplyKind(row.kind)].title,
        "text version": "text_version",
        "License ID": "license.license_id",
        "request id": "request.request_id",
        "activation": "activation.activation_id",
        "case": "restoration.restoration_id",
        "written by": "written_by",
    }
    empty_words = "A reply is kept with the booking it answers, or when somebody presses Keep this reply."
    empty_link = ("To the support desk", "admin:desk")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("license__customer", "activation", "request", "restoration")

    @admin.display(description="written (UTC)", ordering="written_at")
    def written(self, row: Reply) -> str:
        return when(row.written_at)

    @admin.display(description="reply", ordering="kind")
    def what(self, row: Reply) -> str:
        return LETTERS[ReplyKind(row.kind)].title

    @admin.display(description="license", ordering="license__license_id")
    def license_link(self, row: Reply) -> SafeString | str:
        return link(row.license)

    @admin.display(description="customer", ordering="license__customer__name")
    def customer(self, row: Reply) -> str:
        return row.license.customer.name if row.license else "-"

    @admin.display(description="host")
    def host(self, row: Reply) -> str:
        of = row.request or row.activation
        return (of.hostname if of else "") or "-"

    def row_page(self, request: HttpRequest, row: Reply) -> HttpResponse:
        return reply_page(request, row)


def reply_page(request: HttpRequest, row: Reply) -> HttpResponse:
    body, answer = row.body, row.request.answers.first() if row.request else None
    if answer:
        place = f"[the Usage License {answer.usage_license_id}; open its Usage Request on the desk to send it again]"
        body = body.replace(answer.text.strip(), place)
    about = [
        ("Customer", row.license.customer.name if row.license else None),
        ("License", row.license and link(row.license)),
        ("Usage Request", row.request and link(row.request)),
        ("Activation", row.activation and link(row.activation)),
        ("Restoration", row.restoration and link(row.restoration)),
    ]
    letter = LETTERS[ReplyKind(row.kind)]
    context = {
        "row": row,
        "letter": letter,
        "body": body,
        "complete": answer is None,
        "about": [pair for pair in about if pair[1]],
    }
    return page(request, "desk/reply.html", f"Reply: {letter.title}", context)


@admin.register(ReplyText)
class ReplyTextAdmin(PagedAdmin):
    """The list shows every kind of reply, also those that have only the text we ship."""

    nav_name = "Reply texts"

    def get_urls(self) -> list[URLPattern]:
        text = path("text/<str:kind>/", self.admin_site.admin_view(text_page), name="reply_text")
        return [text, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return texts_page(request)

    def row_page(self, request: HttpRequest, row: ReplyText) -> HttpResponse:
        return redirect("admin:reply_text", kind=row.kind)


EVERYBODY = tuple(Ability)


@needs(*EVERYBODY)
def texts_page(request: HttpRequest) -> HttpResponse:
    """Every kind of reply with the version of its text that is in use."""
    newest: dict[str, ReplyText] = {}
    for row in ReplyText.objects.order_by("version").defer("body"):
        newest[row.kind] = row
    rows = [(kind.value, letter, newest.get(kind.value)) for kind, letter in LETTERS.items()]
    return page(request, "desk/reply_texts.html", "Reply texts", {"rows": rows})


class TextForm(forms.Form):
    """A text as it is typed; the service judges it."""

    body = forms.CharField(
        label="Text",
        strip=False,
        required=False,
        widget=forms.Textarea(attrs={"rows": 18, "class": "paste", "spellcheck": "true"}),
    )
    reason = forms.CharField(
        label="Reason",
        required=False,
        max_length=2000,
        help_text="Why it is changed. Goes into the ledger.",
        widget=forms.TextInput(),
    )


@dataclass(frozen=True)
class Version:
    """One version in the list: `changes` are its lines against the version before, each with "-", "+" or ""."""

    number: int
    row: ReplyText | None
    changes: list[tuple[str, str]]


@never_cache
@needs(*EVERYBODY)
def text_page(request: HttpRequest, kind: str) -> HttpResponse:
    """One text: to read with its versions, and for license managers to change, with a preview before it is saved."""
    named = replies.kind_named(kind)
    if isinstance(named, BadInput):
        raise Http404(named.message)
    rows = list(ReplyText.objects.filter(kind=named).order_by("version"))
    bodies = {0: LETTERS[named].shipped, **{row.version: row.body for row in rows}}
    latest = max(bodies)
    context: dict[str, Any] = {
        "kind": named,
        "letter": LETTERS[named],
        "latest": latest,
        "body": bodies[latest],
        "placeholders": _placeholders(named),
        "longest": LONGEST,
        "why_not": _why_not(request),
        "versions": _versions(rows, bodies),
        "shown": latest,
    }
    if request.method == "POST":
        saved = _typed(request, named, bodies[latest], context)
        if saved:
            return saved
    else:
        _opened(request, named, bodies, context)
    return page(request, "desk/reply_text.html", f"Reply text: {LETTERS[named].title}", context)


def _why_not(request: HttpRequest) -> str:
    refused = None if may(request, Ability.EDIT_REPLIES) else lacking(actor_of(request), [Ability.EDIT_REPLIES])
    return "Your role cannot change reply texts. Ask a license manager." if refused else ""


def _opened(request: HttpRequest, kind: ReplyKind, bodies: dict[int, str], context: dict[str, Any]) -> None:
    """The text in use, or with `from` an earlier version that may be used again."""
    wanted, latest = request.GET.get("from", ""), max(bodies)
    again = int(wanted) if wanted.isascii() and wanted.isdecimal() and len(wanted) < 9 else latest
    reason = ""
    if again in bodies and again != latest:
        reason = f"Version {again} is used again."
        context["notice"] = f"This is version {again}. Save it to use it again: it becomes version {latest + 1}."
        context["changes"] = _changes(bodies[latest], bodies[again])
    body = bodies.get(again, bodies[latest])
    context["form"] = TextForm(initial={"body": body, "reason": reason})
    context["preview"] = replies.preview(kind, body)


def _typed(request: HttpRequest, kind: ReplyKind, in_use: str, context: dict[str, Any]) -> HttpResponse | None:
    """What was typed is shown as the customer would read it, and saved if that button was pressed."""
    form = TextForm(request.POST)
    form.is_valid()
    typed, reason = request.POST.get("body", ""), request.POST.get("reason", "").strip()
    shown = request.POST.get("shown", "")
    context["form"] = form
    context["shown"] = int(shown) if shown.isascii() and shown.isdecimal() and len(shown) < 9 else context["latest"]
    body = letters.tidy(typed)
    unfit = replies.bad_text(kind, body)
    if unfit:
        context["error"] = unfit.message
    else:
        context["preview"] = replies.preview(kind, body)
        context["changes"] = _changes(in_use, body)
    if "save" not in request.POST:
        return None
    result = change_text(
        kind=kind, body=typed, shown=context["shown"], actor=actor_of(request), source=SOURCE, reason=reason
    )
    if isinstance(result, TextChanged):
        messages.success(request, f"Version {result.version} is in use from now on.")
        return redirect("admin:reply_text", kind=kind)
    context["error"] = result.message
    context["shown"] = context["latest"]  # pressed again with the difference in view, it takes the other one's place
    return None


def _placeholders(kind: ReplyKind) -> list[tuple[str, str, bool]]:
    letter = LETTERS[kind]
    return [(f"{{{name}}}", PLACEHOLDERS[name][0], name in letter.required) for name in letter.allowed]


def _versions(rows: list[ReplyText], bodies: dict[int, str]) -> list[Version]:
    """Newest first, the text we ship at the end."""
    later = [Version(row.version, row, _changes(bodies[row.version - 1], row.body)) for row in rows]
    return [*reversed(later), Version(0, None, [])]


def _changes(before: str, after: str) -> list[tuple[str, str]]:
    """The lines of both, in order: "-" was taken out, "+" was put in. Empty when they are the same."""
    if before == after:
        return []
    old, new = before.splitlines(), after.splitlines()
    changes: list[tuple[str, str]] = []
    for same, first, last, begin, end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if same == "equal":
            changes += [("", line) for line in new[begin:end]]
        else:
            changes += [*(("-", line) for line in old[first:last]), *(("+", line) for line in new[begin:end])]
    return changes
