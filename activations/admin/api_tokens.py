"""Tokens of other systems: the list, the page of one, and making, rotating and revoking them. A token is shown once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from activations.admin import actions, once
from activations.admin.access import actor_of, may, needs
from activations.admin.base import PagedAdmin, link, page_of, when
from activations.admin.forms import ReasonField, ReasonForm
from activations.admin.pages import page
from activations.admin.words import tell
from activations.domain.ledger import PORTAL_CHAIN, Kind
from activations.domain.scopes import MEANINGS, SHORT, Scope
from activations.domain.words import Ability
from activations.models import ApiToken, LedgerEntry, StaffEvent
from activations.services import tokens
from activations.services.results import BadInput, Refused
from activations.services.tokens import TokenGiven, TokenState, create_token, revoke_token, rotate_token, state_of

SOURCE = "admin"
READERS = (Ability.MANAGE_STAFF, Ability.READ_STAFF_TRAIL, Ability.READ_LEDGER)
KINDS = (Kind.TOKEN_CREATED, Kind.TOKEN_ROTATED, Kind.TOKEN_REVOKED)
MISSED = "It is shown once only; if it was missed, rotate it."
_TONES = {
    TokenState.WORKING: "active",
    TokenState.ENDING: "pending",
    TokenState.EXPIRED: "refused",
    TokenState.REVOKED: "revoked",
}
_HOURS = int(tokens.USUAL_OVERLAP.total_seconds() // 3600)
_MOST_HOURS = int(tokens.MOST_OVERLAP.total_seconds() // 3600)
# Beside which field a refusal is said.
_BLAMED = {
    "token-name-unfit": "name",
    "token-exists": "name",
    "owner-unknown": "owner",
    "scope-unknown": "scopes",
    "rate-out-of-range": "rate",
    "days-out-of-range": "days",
}


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*((state.name.lower(), state.value.capitalize()) for state in TokenState), ("owner", "Owner disabled")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        chosen = (self.value() or "").upper()
        if chosen == "OWNER":
            return queryset.filter(pk__in=tokens.nobody_answers())
        return (
            queryset.filter(pk__in=tokens.in_state(TokenState[chosen]))
            if chosen in TokenState.__members__
            else queryset
        )


@admin.register(ApiToken)
class ApiTokenAdmin(PagedAdmin):
    nav_name = "API tokens"
    readers = READERS
    list_display = ["name", "prefix", "scopes_told", "owner_told", "rate", "made", "expires", "last_used", "state"]
    list_filter = [StateFilter]
    date_hierarchy = "created_at"
    search_fields = ["name", "prefix", "owner__username"]
    search_help_text = "Name, what the token begins with, or its owner"
    export_columns = {
        "name": "name",
        "begins with": "prefix",
        "scopes": lambda row: " ".join(row.scopes),
        "owner": "owner.username",
        "owner active": "owner.is_active",
        "requests a minute": "rate",
        "made": "created_at",
        "rotated": "rotated_at",
        "expires": "expires_at",
        "last used": "last_used_at",
        "revoked": "revoked_at",
        "state": lambda row: state_of(row).value,
    }
    empty_words = "Another system that uses the API needs a token; an administrator makes it here."

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("owner")

    def get_urls(self) -> list[URLPattern]:
        def action(name: str, view: Callable[..., HttpResponseBase]) -> URLPattern:
            return path(f"<int:pk>/{name}/", self.admin_site.admin_view(view), name=f"apitoken_{name}")

        return [action("rotate", rotate), action("revoke", revoke), *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request, Ability.MANAGE_STAFF)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        return new_token(request)

    def row_page(self, request: HttpRequest, row: ApiToken) -> HttpResponse:
        return token_page(request, row)

    @admin.display(description="may")
    def scopes_told(self, row: ApiToken) -> SafeString:
        held = tokens.scopes_of(row)
        return format_html_join(
            ", ", '<span class="nowrap">{}</span>', ((SHORT[scope],) for scope in Scope if scope in held)
        )

    @admin.display(description="owner", ordering="owner__username")
    def owner_told(self, row: ApiToken) -> SafeString | str:
        return row.owner.username if row.owner.is_active else format_html("{} {}", row.owner.username, _disabled())

    @admin.display(description="made", ordering="created_at")
    def made(self, row: ApiToken) -> SafeString:
        return _day(row.created_at)

    @admin.display(description="expires", ordering="expires_at")
    def expires(self, row: ApiToken) -> SafeString:
        return _day(row.expires_at)

    @admin.display(description="last used", ordering="last_used_at")
    def last_used(self, row: ApiToken) -> str:
        return when(row.last_used_at) if row.last_used_at else "never"

    @admin.display(description="state")
    def state(self, row: ApiToken) -> SafeString:
        return _state(row)


def _day(time: datetime) -> SafeString:
    return format_html('<span class="nowrap">{}</span>', f"{time:%Y-%m-%d}")


def _state(row: ApiToken) -> SafeString:
    state = state_of(row)
    return format_html('<span class="badge badge-{}">{}</span>', _TONES[state], state.value)


def _disabled() -> SafeString:
    return format_html('<span class="badge badge-pending">{}</span>', "account disabled")


def token_page(request: HttpRequest, row: ApiToken) -> HttpResponse:
    state, now = state_of(row), timezone.now()
    held = tokens.scopes_of(row)
    told = StaffEvent.objects.filter(kind__in=KINDS, subject=row.name, chain=PORTAL_CHAIN).values("seq")
    entries = LedgerEntry.objects.filter(chain=PORTAL_CHAIN, seq__in=told).order_by("-seq")
    context = {
        "row": row,
        "state": _state(row),
        "owner": link(row.owner),
        "meanings": [MEANINGS[scope] for scope in Scope if scope in held],
        "expires": when(row.expires_at),
        "last_used": when(row.last_used_at) if row.last_used_at else "never",
        "ended": state is TokenState.EXPIRED,
        "ending": state is TokenState.ENDING,
        "days_left": max((row.expires_at - now).days, 0),
        "nobody_answers": tokens.usable(row) and not row.owner.is_active,
        "before_until": when(row.before_until) if row.before_until and row.before_until > now else "",
        "may_change": may(request, Ability.MANAGE_STAFF) and state is not TokenState.REVOKED,
        "actor": tokens.actor_of_token(row).name,
        "history": [tell(entry) for entry in entries],
        "may_read_ledger": may(request, Ability.READ_LEDGER),
    }
    return page(request, "desk/api_token.html", f"API token {row.name}", context)


class _Boxes(forms.CheckboxSelectMultiple):
    def id_for_label(self, id_: str, index: str | None = None) -> str:
        """What is wrong with the whole leads to its first box."""
        return super().id_for_label(id_, index or "0")


class NewTokenForm(ReasonForm):
    """What a token is made with; the service judges it."""

    name = forms.CharField(
        label="Name",
        help_text="Of the system that uses it: small letters, digits and hyphens. It stands in the ledger beside what "
        "the system does.",
        widget=forms.TextInput(
            attrs={"autofocus": True, "autocomplete": "off", "spellcheck": "false", "maxlength": 60}
        ),
        error_messages={"required": "Name the token after the system that uses it."},
    )
    owner = forms.ChoiceField(
        label="Owner",
        help_text="Who answers for it. What the token asks for, its owner cannot approve; nor can who makes it.",
        error_messages={"invalid_choice": "Choose a member of staff with an active account."},
    )
    scopes = forms.MultipleChoiceField(
        label="What it may do",
        choices=[(scope.value, MEANINGS[scope]) for scope in Scope],
        widget=_Boxes,
        error_messages={"required": "Tick what the token may do."},
    )
    rate = forms.IntegerField(
        label="Requests a minute",
        initial=tokens.USUAL_RATE,
        widget=forms.NumberInput(attrs={"class": "short", "min": 1, "max": tokens.MOST_RATE}),
    )
    days = forms.IntegerField(
        label="Good for so many days",
        initial=tokens.USUAL_DAYS,
        help_text=f"At most {tokens.MOST_DAYS}. It is rotated before that.",
        widget=forms.NumberInput(attrs={"class": "short", "min": 1, "max": tokens.MOST_DAYS}),
    )
    reason = ReasonField(help_text="For example who asked for it. Goes into the ledger and cannot be changed there.")
    field_order = ["name", "owner", "scopes", "rate", "days", "reason"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        staff = User.objects.filter(is_staff=True, is_active=True).order_by("username")
        names = list(staff.values_list("username", flat=True))
        self.fields["owner"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]

    def blame(self, result: Refused | BadInput) -> str:
        if result.code in _BLAMED:
            self.add_error(_BLAMED[result.code], result.message)
            return ""
        return super().blame(result)


@never_cache
@needs(Ability.MANAGE_STAFF)
@require_http_methods(["GET", "HEAD", "POST"])
def new_token(request: HttpRequest) -> HttpResponse:
    """Makes a token, which is on the page that answers and nowhere afterwards."""
    form = NewTokenForm(request.POST or None, initial={"owner": actor_of(request).name})
    error: str = ""
    if request.method == "POST" and form.is_valid():
        with once.sending(request) as sending:
            before = sending.before
            if before and not once.differs(request, before):
                return once.booked_before(request, before, "admin:activations_apitoken_changelist")
            if before:
                error = once.not_booked(before)
            else:
                result = create_token(**form.cleaned_data, actor=actor_of(request), source=SOURCE)
                if isinstance(result, TokenGiven):
                    row = ApiToken.objects.get(name=result.name)
                    sending.done(f"The token {result.name} was made. {MISSED}", page_of(row))
                    return _shown(request, row, result)
                error = form.blame(result)
    return page(
        request, "desk/api_token_new.html", "New API token", {"form": form, "error": error, "token": once.new_token()}
    )


def _shown(request: HttpRequest, row: ApiToken, given: TokenGiven) -> HttpResponse:
    context = {
        "row": row,
        "given": given,
        "expires": when(given.expires_at),
        "rotated": row.rotated_at is not None,
        "before_until": when(given.before_until) if given.before_until else "",
    }
    title = f"API token {row.name} {'rotated' if row.rotated_at else 'made'}"
    return page(request, "desk/api_token_shown.html", title, context)


@never_cache
@needs(Ability.MANAGE_STAFF)
@require_http_methods(["GET", "HEAD", "POST"])
def rotate(request: HttpRequest, pk: int) -> HttpResponse:
    """Another token in place of this one, shown once."""
    row = _found(pk)
    if row is None:
        return _gone(request)
    typed = request.POST.get("overlap", str(_HOURS))

    def perform(reason: str) -> TokenGiven | Refused | BadInput:
        # Nothing that is no number of hours: the service says which are.
        hours = int(typed) if typed.isascii() and typed.isdecimal() and len(typed) < 6 else -1
        return rotate_token(
            name=row.name, actor=actor_of(request), source=SOURCE, reason=reason, overlap=timedelta(hours=hours)
        )

    def more() -> dict[str, Any]:
        still = row.before_until if row.before_until and row.before_until > timezone.now() else None
        return {"overlap": typed, "most_hours": _MOST_HOURS, "still": when(still) if still else ""}

    action = actions.Action(
        title=f"Rotate API token {row.name}",
        explanation="Makes another token in place of this one, with the same scopes, owner and rate, good for as many "
        "days as this one was. It is shown once, on the next page. Until the hours below are over the system may use "
        "either, so that nothing stands still while the new one is put in its place.",
        button="Rotate it",
        facts=_facts(row),
        back=page_of(row),
        perform=perform,
        done=lambda result: (f"The token {row.name} was rotated. {MISSED}", page_of(row)),
        template="desk/api_token_rotate.html",
        more=more,
    )

    def answer(given: TokenGiven) -> HttpResponse:
        return _shown(request, ApiToken.objects.get(pk=row.pk), given)

    return actions.run(request, action, answer)


@never_cache
@needs(Ability.MANAGE_STAFF)
@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    row = _found(pk)
    if row is None:
        return _gone(request)
    action = actions.Action(
        title=f"Revoke API token {row.name}",
        explanation="This cannot be taken back. The next call of the system that uses it is refused, and so is the "
        "token before it, if one is still taken. Its name stays taken, because the ledger knows it.",
        button="Revoke it",
        facts=_facts(row),
        back=page_of(row),
        perform=lambda reason: revoke_token(name=row.name, actor=actor_of(request), source=SOURCE, reason=reason),
        done=lambda result: (f"The token {row.name} is revoked.", page_of(row)),
        dangerous=True,
    )
    return actions.run(request, action)


def _facts(row: ApiToken) -> list[tuple[str, object]]:
    return [
        ("Token", row.name),
        ("Begins with", row.prefix),
        ("Owner", row.owner.username if row.owner.is_active else format_html("{} {}", row.owner.username, _disabled())),
        ("Last used", when(row.last_used_at) if row.last_used_at else "never"),
        ("Expires", when(row.expires_at)),
        ("State", _state(row)),
    ]


def _found(pk: int) -> ApiToken | None:
    return ApiToken.objects.select_related("owner").filter(pk=pk).first()


def _gone(request: HttpRequest) -> HttpResponse:
    messages.warning(request, "There is no such API token. The list shows them all.")
    return redirect("admin:activations_apitoken_changelist")
