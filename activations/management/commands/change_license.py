"""change_license: allowed activations, terms, status, owner or key of a license."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from activations.domain.words import LicenseStatus
from activations.management.base import (
    SOURCE,
    PortalCommand,
    add_actor,
    bad_input,
    done,
    feature_terms,
    named_actor,
)
from activations.services.licenses import LicenseChange, change_license, replace_license_key


class Command(PortalCommand):
    help = "Change a license. Hosts keep what they have until their next Usage Request."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("license_id")
        parser.add_argument("--allowed", type=int, metavar="N", help="allowed activations")
        parser.add_argument(
            "--feature", action="extend", nargs="+", metavar="CODE[:YYYY-MM-DD]", help="the whole new list"
        )
        parser.add_argument("--lowest-version", metavar="V", help='"" for none; left out, it stays as it is')
        parser.add_argument("--highest-version", metavar="V", help='"" for none; left out, it stays as it is')
        status = parser.add_mutually_exclusive_group()
        for name, value in (("suspend", "SUSPENDED"), ("reinstate", "ACTIVE"), ("revoke", "REVOKED")):
            status.add_argument(f"--{name}", action="store_const", dest="status", const=LicenseStatus[value])
        parser.add_argument(
            "--online", choices=["on", "off"], help="answer over the internet where no person has to decide"
        )
        parser.add_argument("--customer", metavar="NAME", help="transfer to another customer; replaces the License Key")
        parser.add_argument("--replace-key", action="store_true", help="a new License Key for a leaked one")
        parser.add_argument("--reason", required=True, metavar="TEXT")
        add_actor(parser)

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        license_id = options["license_id"]
        who = {"actor": named_actor(options["actor"]), "source": SOURCE, "reason": options["reason"]}
        change = LicenseChange(
            allowed=options["allowed"],
            features=feature_terms(options["feature"]) if options["feature"] else None,
            versions=_versions(options),
            status=options["status"],
            customer=options["customer"],
            online=None if options["online"] is None else options["online"] == "on",
        )
        if options["replace_key"]:
            if change != LicenseChange():
                raise bad_input("replace-key-alone", "--replace-key goes alone: run the other change separately.")
            key = done(replace_license_key(license_id=license_id, **who))
            return {"license_id": key.license_id, "license_key": key.license_key}
        changed = done(change_license(license_id=license_id, change=change, **who))
        return {
            "license_id": changed.license_id,
            "terms_revision": changed.terms_revision,
            "allowed": changed.allowed,
            "status": changed.status,
            "online": changed.online,
            "changes": list(changed.changes),
            "warnings": list(changed.warnings),
            **({"license_key": changed.license_key} if changed.license_key else {}),
        }

    def again(self, answer: dict[str, Any]) -> str:
        if answer["outcome"] != "done":
            return ""
        said = f"License {answer['license_id']} was changed."
        if "license_key" not in answer:
            return said
        return (
            f"{said} Its new License Key is shown once only: give it another one with "
            f"`manage.py change_license {answer['license_id']} --replace-key`."
        )


def _versions(options: dict[str, Any]) -> tuple[str | None, str | None] | None:
    """None for a bound that was not named: it stays as it is."""
    low, high = options["lowest_version"], options["highest_version"]
    return None if low is None and high is None else (low, high)
