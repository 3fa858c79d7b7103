"""Writes tests/verifier/data: an export, what was kept of it, and a tampered export, as they must stay readable.

    python -m tests.verifier.make_golden

Run it only when the format gets a new version; exports and kept files of the old one stay in auditors' hands.
"""

from __future__ import annotations

import base64
from pathlib import Path

from tests.verifier.ledger import Ledger, export_text, made, vkey

DATA = Path(__file__).parent / "data"


def golden() -> dict[str, str]:
    """File name to text."""
    ledger = made(24)
    lines = ledger.lines()
    lines[5]["body"] = lines[5]["body"].replace("Acme", "Acne")
    one = "LIC-BBBB-0002"
    leaves = "".join(f"{base64.b64encode(leaf).decode()}\n" for leaf in ledger.leaves()[:16])
    return {
        "export.jsonl": export_text(ledger),
        "license.jsonl": export_text(ledger, lines=ledger.lines(ledger.of(one)), filter={"license": one}),
        "changed.jsonl": export_text(ledger, lines=lines),
        "rewritten.jsonl": export_text(ledger.told(5, actor="lead").rehashed()),
        "cut-off.jsonl": export_text(Ledger(ledger.bodies[:10])),
        "kept/checkpoint-16.txt": ledger.note(16),
        "kept/ledger-leaves-0-16.txt": f"chariot-ledger-leaves-1 0 16\n{leaves}\n{ledger.note(16)}",
        "key.txt": f"{vkey()}\n",
    }


def write() -> None:
    for name, text in golden().items():
        (DATA / name).parent.mkdir(parents=True, exist_ok=True)
        (DATA / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write()
