"""The ledger as a file, written in the background for another system or for who asked over the API."""

from __future__ import annotations

import io
import tempfile
from datetime import datetime

from django.contrib.auth.models import User

from activations.domain.words import Ability, Actor
from activations.models import ApiToken, Job
from activations.services.actors import actor_for
from activations.services.booking import iso
from activations.services.exports import FORMATS, Exported, export_ledger
from activations.services.jobs import queue
from activations.services.jobs.running import CannotRun, Work, runs
from activations.services.results import BadInput, Refused, lacking, public_id
from activations.services.tokens import ACTOR_PREFIX, actor_of_token, usable

KIND = "ledger-export"


def ask_for_export(
    *, format: str, actor: Actor, source: str, license_id: str | None = None, until: datetime | None = None
) -> Job | Refused | BadInput:
    """Queues the export of the ledger, of one license, or up to a time. It is booked when it is written."""
    refused = lacking(actor, [Ability.READ_LEDGER])
    if refused:
        return refused
    if format not in FORMATS:
        return BadInput("format-unknown", f"There is no format {format}. Formats: {', '.join(FORMATS)}.")
    named = None if license_id is None else public_id("LIC", license_id)
    if isinstance(named, BadInput):
        return named
    asked = {"format": format, "license": named, "until": iso(until) if until else None, "source": source}
    return queue.ask(KIND, asked, actor=actor)


@runs(KIND)
def write(work: Work) -> dict[str, object]:
    asked, actor = work.job.asked_for, _actor(work.job.asked_by)
    with tempfile.TemporaryFile() as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        written = export_ledger(
            out=text,
            format=asked["format"],
            actor=actor,
            source=asked["source"],
            license_id=asked["license"],
            until=datetime.fromisoformat(asked["until"]) if asked["until"] else None,
            tell=work.advance,
        )
        text.detach()
        if not isinstance(written, Exported):
            raise CannotRun(f"Nothing was exported. {written.message}")
        return {
            "entries": written.entries,
            "bytes": work.keep(file),
            "checkpoint": written.note,
            "warning": written.warning,
        }


def _actor(name: str) -> Actor:
    """Who asked, with what they may do by now."""
    if name.startswith(ACTOR_PREFIX):
        token = ApiToken.objects.filter(name=name.removeprefix(ACTOR_PREFIX)).first()
        if token is None or not usable(token):
            raise CannotRun("The token that asked for this was revoked or expired. Nothing was exported.")
        return actor_of_token(token)
    user = User.objects.filter(username=name, is_active=True).first()
    if user is None:
        raise CannotRun("The account that asked for this is disabled. Nothing was exported.")
    return actor_for(user)
