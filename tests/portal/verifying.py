"""The standalone verifier as an auditor runs it, and what an auditor keeps of this portal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from activations.models import LedgerCheckpoint
from activations.services.proofs import ConsistencyProof, consistency
from activations.services.witnessing.folder import keep
from activations.services.witnessing.keys import key_of
from activations.services.witnessing.outcomes import Kept
from tests.portal.cast import AUDITOR

VERIFIER = Path(__file__).resolve().parents[2] / "verifier/chariot_ledger_verify.py"


def portal_key() -> str:
    """The verifier key of the key that signed the newest checkpoint (C2SP signed-note)."""
    newest = LedgerCheckpoint.objects.first()
    assert newest is not None
    return str(key_of(newest))


def verdict(export: Path, *kept: Path, proof: Path | None = None) -> dict[str, Any]:
    """Runs it as a process of its own, without the portal's environment."""
    command = [sys.executable, "-E", "-s", str(VERIFIER), str(export), "--json", "--key", portal_key()]
    command += ["--proof", str(proof)] if proof else []
    for file in kept:
        command += ["--kept", str(file)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=export.parent, env={}, timeout=60)
    assert done.stderr == ""
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["exit_code"] == done.returncode
    return answer


def witness_folder(folder: Path) -> Path:
    """What a witness's folder holds of the ledger as it is now: every checkpoint sent as it was made."""
    folder.mkdir()
    for row in LedgerCheckpoint.objects.order_by("size"):
        assert isinstance(keep(folder, row), Kept)
    return folder


def consistency_proof(folder: Path, old: int) -> Path:
    """From a tree that was kept to the newest checkpoint, as `ledger_proof` prints it."""
    proof = consistency(old=old, actor=AUDITOR)
    assert isinstance(proof, ConsistencyProof)
    (folder / "proof.txt").write_text(proof.text, "utf-8")
    return folder / "proof.txt"
