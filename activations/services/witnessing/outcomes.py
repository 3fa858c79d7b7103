"""What came of sending a checkpoint to a witness."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kept:
    """The witness has it. `answer`: what it gave back; `leaves`: how many leaf hashes it has, from the first on."""

    answer: str = ""
    leaves: int = 0


@dataclass(frozen=True)
class Failed:
    """It does not, and `problem` says why and what to do. `contradicts`: what it has, our ledger does not continue."""

    problem: str
    contradicts: bool = False


def contradiction(found: str) -> Failed:
    """The one trouble that no waiting mends: somebody must look."""
    return Failed(
        f"{found} Either somebody rewrote or cut the ledger, or the database was restored from an older backup, or the "
        "witness belongs to another portal. Keep what the witness has as it is, run `manage.py verify_ledger`, and "
        "tell the auditor.",
        contradicts=True,
    )
