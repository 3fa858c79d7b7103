"""System checks of the database's own defences: `manage.py check --database default`, and each migrate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import connections

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
