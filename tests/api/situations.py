"""What the tests of the API start from, made as staff make it, and how they look at all that is kept."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

from django.apps import apps

from activations.domain.words import Actor
from activations.models import Activation
from activations.services.licenses import LicenseCreated
from activations.services.losses import MarkedLost, RestorationCase, mark_lost, request_restoration
from tests.api.calling import ROOT, Answer, Caller
from tests.portal.cast import AGENT, SOURCE, answered
from tests.portal.chariot import Chariot, host

PURCHASE = {"customer": "Acme Water", "allowed": 2, "features": [{"code": "mqtt-server", "expires": None}]}


def table_sizes() -> dict[str, int]:
    """How many rows every table has, Django's own included."""
    return {model._meta.label: model._base_manager.count() for model in apps.get_models()}


def running(license: LicenseCreated, name: str) -> Chariot:
    """A Chariot on the host `name`, activated on the desk."""
    chariot = Chariot(license.license_key, host(name))
    chariot.install(answered(chariot.request()))
    return chariot


def activation_on(name: str) -> str:
    return Activation.objects.get(hostname=name).activation_id


def lost(license: LicenseCreated, name: str) -> str:
    """The id of the activation of a host that burned down."""
    running(license, name)
    marked = mark_lost(activation_id=activation_on(name), actor=AGENT, source=SOURCE, reason="Burned down.")
    assert isinstance(marked, MarkedLost), marked
    return marked.activation_id


def open_case(license: LicenseCreated, name: str, *, actor: Actor = AGENT) -> str:
    """The id of a restoration case that waits for a decision."""
    case = request_restoration(activation_id=lost(license, name), actor=actor, source=SOURCE, reason="A fire.")
    assert isinstance(case, RestorationCase), case
    return case.restoration_id


def problem(answer: Answer, status: int, code: str) -> Answer:
    """The answer, which is this problem and carries what every one does."""
    assert (answer.status, answer.code) == (status, code), answer
    assert answer["request_id"] == answer.headers["X-Request-ID"]
    assert answer.headers["Cache-Control"] == "no-store"
    return answer


def sent(caller: Caller, body: bytes | str, path: str = "/licenses", **how: Any) -> Answer:
    """A body just as it is written here."""
    headers = {"Idempotency-Key": str(uuid.uuid4()), **caller.headers, **how.pop("headers", {})}
    kind = how.pop("content_type", "application/json")
    data = body.encode() if isinstance(body, str) else body
    return Answer(caller.client.generic("POST", ROOT + path, data, content_type=kind, headers=headers, **how))


def pages(caller: Caller, path: str, between: Callable[[], object] = lambda: None, **asked: Any) -> Iterator[Answer]:
    """Follows `next` to the end; `between` happens after each page."""
    page = caller.get(path, **asked)
    while True:
        assert page.status == 200, page
        yield page
        between()
        if page["next"] is None:
            return
        page = caller.get(page["next"].split("/api/v1", 1)[1])
