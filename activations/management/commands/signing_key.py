"""signing_key: make the vendor root and the signing keys, rotate and list them."""

from __future__ import annotations

import os
from argparse import SUPPRESS, ArgumentParser
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings

from activations.domain.words import Actor
from activations.management.base import SOURCE, PortalCommand, bad_input, done, named_actor
from activations.models import KeyPurpose, SigningKey
from activations.services.actors import system_actor
from activations.services.signing import KeyMade, create_root, issue_key, rotate_key, trusted_roots

PURPOSES = [KeyPurpose.USAGE_LICENSE, KeyPurpose.CHECKPOINT]


class Command(PortalCommand):
    help = "Make and rotate the keys that sign Usage Licenses and checkpoints. Private parts are never printed."

    def arguments(self, parser: ArgumentParser) -> None:
        steps = parser.add_subparsers(dest="step", required=True, metavar="create-root|issue|rotate|list")
        root = steps.add_parser("create-root", help="a vendor root; the second one is the spare")
        root.add_argument("--out", metavar="FILE", help="where the roots go as PEM, for a client to trust")
        issue = steps.add_parser("issue", help="the signing keys that are missing, or the one named")
        rotate = steps.add_parser("rotate", help="a new signing key in place of the current one")
        for step in (root, issue, rotate):
            step.add_argument("--name", default="")
            step.add_argument("--actor", metavar="USER")
        for step in (issue, rotate):
            step.add_argument("--purpose", choices=[purpose.value for purpose in PURPOSES])
        for step in (
            root,
            issue,
            rotate,
            steps.add_parser("list", help="every key, its serial and validity"),
        ):
            step.add_argument(
                "--json", action="store_true", default=SUPPRESS, help="print one JSON object, refusals too"
            )

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["step"] == "list":
            return {"keys": [_listed(row) for row in SigningKey.objects.order_by("id")]}
        actor = named_actor(options["actor"]) if options["actor"] else system_actor()
        if options["step"] == "create-root":
            return self._create_root(options, actor)
        made = [self._make(options, purpose, actor) for purpose in _purposes(options)]
        return {"keys": [{"purpose": key.purpose, "name": key.name, "serial": key.serial} for key in made]}

    def _create_root(self, options: dict[str, Any], actor: Actor) -> dict[str, Any]:
        out = Path(options["out"] or settings.TRUST_ROOT_FILE)
        made = done(create_root(name=options["name"] or _root_name(), actor=actor, source=SOURCE))
        try:
            _write_roots(out)
        except OSError as error:
            message = f"The root {made.serial} was made, but {out} cannot be written: {error.strerror}."
            raise bad_input("file-unwritable", message) from None
        return {"serial": made.serial, "trust_root": str(out), "certificate": made.certificate_pem}

    def _make(self, options: dict[str, Any], purpose: KeyPurpose, actor: Actor) -> KeyMade:
        use_case = rotate_key if options["step"] == "rotate" else issue_key
        name = options["name"] or f"Vendor {purpose.value} key"
        return done(use_case(purpose=purpose, name=name, actor=actor, source=SOURCE))

    def lines(self, answer: dict[str, Any]) -> list[str]:
        if "keys" not in answer:
            return super().lines(answer)
        return ["  ".join(str(value) for value in key.values()) for key in answer["keys"]]


def _root_name() -> str:
    return "Vendor root, spare" if SigningKey.objects.filter(purpose=KeyPurpose.ROOT).exists() else "Vendor root"


def _purposes(options: dict[str, Any]) -> list[KeyPurpose]:
    if options["purpose"]:
        return [KeyPurpose(options["purpose"])]
    if options["step"] == "rotate":
        return [KeyPurpose.USAGE_LICENSE]
    current = set(SigningKey.objects.filter(current=True).values_list("purpose", flat=True))
    return [purpose for purpose in PURPOSES if purpose.value not in current] or PURPOSES


def _listed(row: SigningKey) -> dict[str, Any]:
    return {
        "purpose": row.purpose,
        "name": row.name,
        "serial": row.serial,
        "state": "current" if row.current else "retired",
        "valid_until": f"{row.not_after:%Y-%m-%d}",
    }


def _write_roots(out: Path) -> None:
    """Every current root, one PEM after the other; moved into place, so that no client reads half of it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    with part.open("wb") as file:
        file.write(b"".join(root.public_bytes(Encoding.PEM) for root in trusted_roots()))
        file.flush()
        os.fsync(file.fileno())
    part.replace(out)
