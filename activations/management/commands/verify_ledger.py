"""verify_ledger: every chain, head and checkpoint; and the tables against the fold of the ledger."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from activations.management.base import REFUSED, PortalCommand, Stop
from activations.services.ledger_checks import verify_ledger


class Command(PortalCommand):
    help = "Check the ledger. Exit 0 when everything holds, 1 with every finding when not."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--rebuild-check", action="store_true", help="also compare the tables with the fold of the ledger"
        )

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        checked = verify_ledger(rebuild_check=options["rebuild_check"])
        answer = {
            "entries": checked.entries,
            "chains": checked.chains,
            "checkpoints": checked.checkpoints,
            "rebuild_check": options["rebuild_check"],
            "problems": list(checked.problems),
        }
        if not checked.holds:
            found = "\n".join(checked.problems)
            message = f"The ledger does not hold:\n{found}"
            raise Stop(REFUSED, {"outcome": "refused", "code": "ledger-broken", "message": message, **answer})
        return {**answer, "message": "The ledger holds."}
