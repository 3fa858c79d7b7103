"""verify_ledger: every chain, head and checkpoint; and the tables against the ledger, the stored bytes and the keys."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from activations.management.base import REFUSED, PortalCommand, Stop
from activations.services.ledger_checks import verify_ledger


class Command(PortalCommand):
    help = "Check the ledger. Exit 0 when everything holds, 1 with every finding when not."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--rebuild-check",
            action="store_true",
            help="also compare the tables with the ledger, with the signed bytes they keep and with the keys",
        )

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        # As they are found, a line each: a long check shows what it has, and its reader may stop listening.
        report = None if options["json"] else self._say
        checked = verify_ledger(rebuild_check=options["rebuild_check"], report=report)
        answer = {
            "entries": checked.entries,
            "chains": checked.chains,
            "checkpoints": checked.checkpoints,
            "rebuild_check": options["rebuild_check"],
            "problems": list(checked.problems),
        }
        if not checked.holds:
            count = len(checked.problems)
            message = f"The ledger does not hold: {count} problem{'s' if count > 1 else ''}."
            raise Stop(REFUSED, {"outcome": "refused", "code": "ledger-broken", "message": message, **answer})
        return {**answer, "message": "The ledger holds."}

    def _say(self, problem: str) -> None:
        self.stderr.write(problem)
