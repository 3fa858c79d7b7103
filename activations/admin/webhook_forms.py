"""The form of a webhook, and the words for events and states on its pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from activations.admin.forms import ReasonField
from activations.admin.words import title_of
from activations.models import DeliveryState, WebhookEndpoint, WebhookState
from activations.services.results import BadInput, Refused
from activations.services.webhooks.addresses import LONGEST_URL
from activations.services.webhooks.endpoints import LONGEST_DESCRIPTION, Wanted
from activations.services.webhooks.events import ALL, GROUPS, LIMIT_REACHED, TEST, TYPES

GROUP_WORDS = {
    "license": "Licenses",
    "activation": "Activations",
    "restoration": "Restorations",
    "tombstone": "Sightings of written-off hosts",
}
_WORDS = {LIMIT_REACHED: "No seat is free any more", TEST: "Test event"}
_TONES: dict[str, str] = {
    WebhookState.ACTIVE: "active",
    WebhookState.DISABLED: "refused",
    DeliveryState.DELIVERED: "active",
    DeliveryState.WAITING: "pending",
    DeliveryState.SENDING: "pending",
    DeliveryState.DEAD: "refused",
}


def event_words(name: str) -> str:
    return _WORDS.get(name, "") or title_of(name)


def pattern_words(pattern: str) -> str:
    """What a webhook asks for, as people say it."""
    if pattern == ALL:
        return "everything"
    group, _, rest = pattern.partition(".")
    return f"everything about {GROUP_WORDS.get(group, group).lower()}" if rest == "*" else event_words(pattern)


def state_badge(state: str) -> SafeString:
    return format_html('<span class="badge badge-{}">{}</span>', _TONES.get(state, ""), state)


@dataclass(frozen=True)
class Choice:
    value: str
    words: str
    chosen: bool


@dataclass(frozen=True)
class Group:
    name: str
    choices: tuple[Choice, ...]


class WebhookForm(forms.Form):
    """Reads what was typed; the service judges it."""

    url = forms.CharField(
        label="URL",
        max_length=LONGEST_URL,
        help_text="https:// only. Where the other system takes webhooks.",
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off", "class": "wide"}),
    )
    description = forms.CharField(
        label="Description",
        required=False,
        max_length=LONGEST_DESCRIPTION,
        help_text="Which system this is, for whoever looks after it.",
    )
    events = forms.MultipleChoiceField(
        label="Events",
        choices=[(value, value) for value in (ALL, *(f"{group}.*" for group in GROUPS), *TYPES)],
        error_messages={"required": "Choose at least one event, or everything."},
        widget=forms.CheckboxSelectMultiple,
    )
    reason = ReasonField(help_text="Goes into the ledger and cannot be changed there.")

    def __init__(self, request: HttpRequest, endpoint: WebhookEndpoint | None = None) -> None:
        initial: dict[str, Any] = {"events": [ALL]}
        if endpoint is not None:
            initial = {"url": endpoint.url, "description": endpoint.description, "events": endpoint.events}
        super().__init__(request.POST if request.method == "POST" else None, initial=initial)

    def wanted(self) -> Wanted:
        said = self.cleaned_data
        return Wanted(said["url"], tuple(said["events"]), said["description"])

    def everything(self) -> Choice:
        return self._choice(ALL, "Everything, also what a later release adds")

    def groups(self) -> list[Group]:
        found = []
        for group in GROUPS:
            names = [name for name in TYPES if name.startswith(f"{group}.")]
            whole = (
                [self._choice(f"{group}.*", f"Everything about {GROUP_WORDS[group].lower()}")] if len(names) > 1 else []
            )
            single = [self._choice(name, event_words(name)) for name in names]
            found.append(Group(GROUP_WORDS[group], (*whole, *single)))
        return found

    def _choice(self, value: str, words: str) -> Choice:
        return Choice(value, words, value in (self["events"].value() or []))

    def blame(self, result: Refused | BadInput) -> str:
        """Beside its field where it is about one, else to be said for the whole form."""
        field = {"url": "url", "reason": "reason", "events": "events", "description": "description"}.get(
            result.code.partition("-")[0]
        )
        if field is None:
            return result.message
        self.add_error(field, result.message)
        return ""
