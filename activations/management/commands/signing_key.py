"""signing_key: make the vendor root and the signing keys, rotate, retire and list them."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from pathlib import Path
from typing import Any, TextIO

from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings
from django.db import transaction

from activations.domain.words import Actor
from activations.management.base import SOURCE, PortalCommand, done, named_actor
from activations.management.files import whole_file
from activations.models import KeyPurpose, SigningKey
from activations.services.actors import system_actor
from activations.services.signing import KeyMade, create_root, issue_key, retire_root, rotate_key, trusted_roots
from activations.services.witnessing.keys import verifier_key

PURPOSES = [KeyPurpose.USAGE_LICENSE, KeyPurpose.CHECKPOINT]


class Command(PortalCommand):
    help = "Make and rotate the keys that sign Usage Licenses and checkpoints. Private parts are never printed."

    def arguments(self, parser: ArgumentParser) -> None:
        steps = parser.add_subparsers(dest="step", required=True, metavar="create-root|retire-root|issue|rotate|list")
        root = steps.add_parser("create-root", help="a vendor root; the second one is the spare")
        retire = steps.add_parser("retire-root", help="no more certificates of it; those it gave stay until rotated")
        retire.add_argument("serial", metavar="SERIAL")
        retire.add_argument("--reason", required=True, metavar="TEXT")
        for step in (root, retire):
            step.add_argument("--out", metavar="FILE", help="where the roots go as PEM, for a client to trust")
        issue = steps.add_parser("issue", help="the signing keys that are missing, or the one named")
        rotate = steps.add_parser("rotate", help="a new signing key in place of the current one")
        for step in (root, issue, rotate):
            step.add_argument("--name", default="")
        for step in (root, retire, issue, rotate):
            step.add_argument("--actor", metavar="USER")
        for step in (issue, rotate):
            step.add_argument("--purpose", choices=[purpose.value for purpose in PURPOSES])
        listing = steps.add_parser("list", help="every key, its serial and validity")
        for step in (root, retire, issue, rotate, listing):
            step.add_argument(
                "--json", action="store_true", default=SUPPRESS, help="print one JSON object, refusals too"
            )

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["step"] == "list":
            return {"keys": [_listed(row) for row in SigningKey.objects.order_by("id")]}
        actor = named_actor(options["actor"]) if options["actor"] else system_actor()
        if options["step"] == "create-root":
            return self._create_root(options, actor)
        if options["step"] == "retire-root":
            return self._retire_root(options, actor)
        with transaction.atomic():  # both keys or none
            made = [self._make(options, purpose, actor) for purpose in _purposes(options)]
        return {"keys": [{"purpose": key.purpose, "name": key.name, "serial": key.serial} for key in made]}

    def _create_root(self, options: dict[str, Any], actor: Actor) -> dict[str, Any]:
        out = Path(options["out"] or settings.TRUST_ROOT_FILE)
        with whole_file(out, make_folder=True) as file, transaction.atomic():
            made = done(create_root(name=options["name"] or _root_name(), actor=actor, source=SOURCE))
            _write_roots(file)
        return {"serial": made.serial, "trust_root": str(out), "certificate": made.certificate_pem}

    def _retire_root(self, options: dict[str, Any], actor: Actor) -> dict[str, Any]:
        out = Path(options["out"] or settings.TRUST_ROOT_FILE)
        with whole_file(out, make_folder=True) as file, transaction.atomic():
            retired = done(retire_root(serial=options["serial"], actor=actor, source=SOURCE, reason=options["reason"]))
            _write_roots(file)
        warnings = [f"The certificate of {key} is of this root: rotate the key." for key in retired.to_rotate]
        return {"serial": retired.serial, "trust_root": str(out), "warnings": warnings}

    def _make(self, options: dict[str, Any], purpose: KeyPurpose, actor: Actor) -> KeyMade:
        use_case = rotate_key if options["step"] == "rotate" else issue_key
        name = options["name"] or f"Vendor {purpose.value} key"
        return done(use_case(purpose=purpose, name=name, actor=actor, source=SOURCE))

    def again(self, answer: dict[str, Any]) -> str:
        listed = "keys" in answer and all("state" in key for key in answer["keys"])
        if answer["outcome"] != "done" or listed:
            return ""
        return "It was booked: `manage.py signing_key list` shows the keys."

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
    """With the verifier key (C2SP signed-note) of a checkpoint key, for auditors and witnesses."""
    verifier = verifier_key(row, settings.LEDGER_ORIGIN)
    return {
        "purpose": row.purpose,
        "name": row.name,
        "serial": row.serial,
        "state": "current" if row.current else "retired",
        "valid_until": f"{row.not_after:%Y-%m-%d}",
        **({"verifier_key": str(verifier)} if verifier else {}),
    }


def _write_roots(file: TextIO) -> None:
    """Every current root, one PEM after the other. Before the booking ends: a full disk undoes it."""
    file.write("".join(root.public_bytes(Encoding.PEM).decode() for root in trusted_roots()))
    file.flush()
