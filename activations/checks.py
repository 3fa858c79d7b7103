"""System checks: of the database's own defences (`manage.py check --database default`, and each migrate), and of the
witnesses that the settings name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

from activations.domain.witnesses import Witness, WitnessKind, read_witness
from activations.models import triggers


@register(Tags.database)
def triggers_are_there(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Every trigger that guards the ledger, the seats and the states is in place and as this version defines it.

    A warning, not an error: migrate runs the checks first, and it is migrate that puts the triggers back.
    """
    return [
        Warning(
            f"The database {alias!r} does not protect itself: trigger {name} is {problem}.",
            hint="Run: manage.py migrate. If nobody changed the database, find out who did: manage.py verify_ledger",
            id="activations.W001",
        )
        for alias in databases or []
        for name, problem in triggers.problems(connections[alias]).items()
    ]


@register
def witnesses_can_be_reached(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Every address of LEDGER_WITNESSES is one that checkpoints can be sent to, and none is there twice."""
    found: list[CheckMessage] = []
    seen: set[str] = set()
    for number, text in enumerate(settings.LEDGER_WITNESSES, 1):
        try:
            witness = read_witness(text)
        except ValueError as error:
            found.append(_unfit(f"Witness {number} of LEDGER_WITNESSES gets no checkpoints: {error}."))
            continue
        if witness.name in seen:
            found.append(_unfit(f"Witness {number} of LEDGER_WITNESSES, {witness.name}, is there twice."))
        seen.add(witness.name)
        if witness.kind is WitnessKind.HTTP and witness.key is None:
            found.append(_unchecked(witness))
    return found


def _unfit(message: str) -> Error:
    return Error(
        message,
        hint="Separate witnesses by spaces, each file:// and the whole path of a folder, mailto:name@example.com or https://prefix#key.",
        id="activations.E010",
    )


def _unchecked(witness: Witness) -> Warning:
    return Warning(
        f"The cosignatures of {witness.name} are kept and not checked: LEDGER_WITNESSES names no key for it.",
        hint="Write its key (name+hash+base64, whoever runs it has it) behind a #, as in https://prefix#key.",
        id="activations.W010",
    )
