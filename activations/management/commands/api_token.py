"""api_token: make, rotate, revoke and list the tokens with which other systems use the API."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from datetime import timedelta
from typing import Any

from activations.domain.scopes import MEANINGS, Scope
from activations.management.base import SOURCE, PortalCommand, add_actor, done, named_actor
from activations.models import ApiToken
from activations.services.booking import iso
from activations.services.tokens import (
    MOST_DAYS,
    MOST_OVERLAP,
    MOST_RATE,
    USUAL_DAYS,
    USUAL_OVERLAP,
    USUAL_RATE,
    TokenGiven,
    create_token,
    revoke_token,
    rotate_token,
    state_of,
)


class Command(PortalCommand):
    help = "Make and rotate the tokens with which other systems use the API. A token is printed once only."

    def arguments(self, parser: ArgumentParser) -> None:
        steps = parser.add_subparsers(dest="step", required=True, metavar="create|rotate|revoke|list")
        create = steps.add_parser("create", help="a token for another system")
        create.add_argument(
            "--scope",
            action="append",
            required=True,
            metavar="S",
            help="what it may do, as often as needed: "
            + "; ".join(f"{scope.value} ({MEANINGS[scope]})" for scope in Scope),
        )
        create.add_argument("--owner", metavar="USER", help="who answers for it; else whoever makes it")
        create.add_argument(
            "--days",
            type=int,
            default=USUAL_DAYS,
            metavar="N",
            help=f"good for so many, {USUAL_DAYS}; most {MOST_DAYS}",
        )
        create.add_argument(
            "--rate",
            type=int,
            default=USUAL_RATE,
            metavar="N",
            help=f"requests a minute, {USUAL_RATE}; most {MOST_RATE}",
        )
        rotate = steps.add_parser("rotate", help="another token in place of this one")
        rotate.add_argument(
            "--overlap",
            type=int,
            default=_hours(USUAL_OVERLAP),
            metavar="HOURS",
            help=f"how long the one before is still taken, {_hours(USUAL_OVERLAP)}; most {_hours(MOST_OVERLAP)}",
        )
        revoke = steps.add_parser("revoke", help="it is taken no more, at once")
        for step in (create, rotate, revoke):
            step.add_argument("name", metavar="NAME", help="of the system that uses it")
            add_actor(step)
            step.add_argument("--reason", required=True, metavar="TEXT")
        listing = steps.add_parser("list", help="every token: what it begins with, its owner, until when it is good")
        for step in (create, rotate, revoke, listing):
            step.add_argument(
                "--json", action="store_true", default=SUPPRESS, help="print one JSON object, refusals too"
            )

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["step"] == "list":
            return {"tokens": [_listed(row) for row in ApiToken.objects.select_related("owner")]}
        name = options["name"]
        who = {"actor": named_actor(options["actor"]), "source": SOURCE, "reason": options["reason"]}
        if options["step"] == "revoke":
            return {"name": done(revoke_token(name=name, **who)).name, "state": "revoked"}
        if options["step"] == "rotate":
            # More hours than a time can hold are too many as well.
            overlap = timedelta(hours=max(-1, min(options["overlap"], _hours(MOST_OVERLAP) + 1)))
            return _given(done(rotate_token(name=name, overlap=overlap, **who)))
        more = {"owner": options["owner"], "days": options["days"], "rate": options["rate"]}
        return _given(done(create_token(name=name, scopes=options["scope"], **more, **who)))

    def again(self, answer: dict[str, Any]) -> str:
        if answer["outcome"] != "done" or "name" not in answer:
            return ""
        if "token" not in answer:
            return f"It was booked: the token {answer['name']} is revoked."
        return (
            f"It was booked, and the token {answer['name']} was seen by nobody: get another one with "
            f"`manage.py api_token rotate {answer['name']}`."
        )

    def lines(self, answer: dict[str, Any]) -> list[str]:
        if "tokens" not in answer:
            return super().lines(answer)
        return [_line(token) for token in answer["tokens"]]


def _hours(time: timedelta) -> int:
    return int(time.total_seconds() // 3600)


def _given(given: TokenGiven) -> dict[str, Any]:
    row = ApiToken.objects.select_related("owner").get(name=given.name)
    return {
        "name": given.name,
        "token": given.token,
        "scopes": row.scopes,
        "owner": row.owner.username,
        "rate": row.rate,
        "expires_at": iso(given.expires_at),
        **({"before_until": iso(given.before_until) if given.before_until else None} if row.rotated_at else {}),
        "warnings": ["This token is shown once only. Keep it where the system reads its secrets."],
    }


def _listed(row: ApiToken) -> dict[str, Any]:
    return {
        "name": row.name,
        "prefix": row.prefix,
        "state": state_of(row).name.lower(),
        "scopes": row.scopes,
        "owner": row.owner.username,
        "owner_active": row.owner.is_active,
        "rate": row.rate,
        "created_at": iso(row.created_at),
        "rotated_at": iso(row.rotated_at) if row.rotated_at else None,
        "expires_at": iso(row.expires_at),
        "last_used_at": iso(row.last_used_at) if row.last_used_at else None,
    }


def _line(token: dict[str, Any]) -> str:
    owner = token["owner"] if token["owner_active"] else f"{token['owner']} (disabled)"
    until, used = token["expires_at"][:10], (token["last_used_at"] or "never")[:16]
    cells = (token["name"], token["prefix"], token["state"], f"until {until}", f"used {used}", owner)
    return "  ".join((*cells, ",".join(token["scopes"])))
