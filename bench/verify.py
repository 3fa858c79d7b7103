"""How long the verifier takes for exports of the whole ledger, and how much memory.

    .venv/bin/python -m bench.verify [ENTRIES ...]     (10,000, 100,000 and 1,000,000 by default)

Each export is made on the spot, of licenses with 25 entries each, and is compared with a kept checkpoint and with the
folder of a witness over its first nine tenths. A process of its own each; prints seconds and peak memory (MiB).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from activations.domain.checkpoint import Checkpoint, key_hash, note_text
from activations.domain.merkle import Range, leaf_hash
from activations.domain.tiles import WIDTH, Tile

ROOT = Path(__file__).resolve().parent.parent
ORIGIN = "licensing.example.com/ledger"
ENTRIES_OF_A_LICENSE = 25
AT_ONCE = 1000  # licenses whose entries alternate


def main(counts: list[int]) -> None:
    print(f"{'entries':>10} {'file, MB':>9} {'kept':>11} {'seconds':>8} {'peak, MiB':>10}")
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            export, kept = _made(Path(folder), count)
            size = export.stat().st_size / 1e6
            for name, files in kept.items():
                seconds, peak = _measured(export, files)
                print(f"{count:>10,} {size:>9.0f} {name:>11} {seconds:>8.1f} {peak:>10.0f}", flush=True)


def _measured(export: Path, kept: list[Path]) -> tuple[float, float]:
    command = [sys.executable, str(ROOT / "verifier/chariot_ledger_verify.py"), str(export)]
    for file in kept:
        command += ["--kept", str(file)]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == (0 if kept else 3), process.returncode
    return time.perf_counter() - began, used.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


def _made(folder: Path, count: int) -> tuple[Path, dict[str, list[Path]]]:
    """The export, and what was kept of it."""
    tree, kept_at, kept_note, tile = Range(), count * 9 // 10, "", list[bytes]()
    witness, lines = folder / "witness", folder / "lines"
    with lines.open("w") as file:
        for index, body in enumerate(_bodies(count)):
            data = body.encode()
            digest, leaf = hashlib.sha256(data).hexdigest(), leaf_hash(data)
            file.write(json.dumps({"index": index, "hash": digest, "body": body}) + "\n")
            tree = tree.grown([leaf])
            if index < kept_at:
                tile.append(leaf)
            if tree.size == kept_at:
                kept_note = _note(tree)
            if tile and (len(tile) == WIDTH or tree.size == kept_at):
                _put(witness / Tile(0, index // WIDTH, len(tile)).path, b"".join(tile))
                tile.clear()
    export, checkpoint = folder / "export.jsonl", folder / "checkpoint.txt"
    header = {"export": "chariot-ledger-1", "origin": ORIGIN, "checkpoint": _note(tree), "filter": None}
    with export.open("w") as file, lines.open() as written:
        file.write(json.dumps({**header, "entries": count, "made_at": "", "by": "bench"}) + "\n")
        file.writelines(written)
        file.write(json.dumps({"end": count}) + "\n")
    lines.unlink()
    checkpoint.write_text(kept_note)
    _put(witness / "checkpoint", kept_note.encode())
    return export, {"nothing": [], "checkpoint": [checkpoint], "folder": [witness]}


def _bodies(count: int) -> Iterator[str]:
    """Bodies as the portal writes them, without the cost of RFC 8785: the members are in order already."""
    heads: dict[str, tuple[int, str]] = {}
    for number in range(count):
        block, place = divmod(number, ENTRIES_OF_A_LICENSE * AT_ONCE)
        chain = f"LIC-{block * AT_ONCE + place % AT_ONCE:016d}"
        seq, prev = heads.get(chain, (0, "0" * 64))
        at = f"2026-{number // 2_500_000 + 1:02}-01T{number // 36_000 % 24:02}:{number // 600 % 60:02}"
        at += f":{number // 10 % 60:02}.{number % 10:06}Z"
        data = f'{{"activation_id":"ACT-{number:012}","sha256":"{hashlib.sha256(chain.encode()).hexdigest()}"}}'
        body = (
            f'{{"actor":"agent","at":"{at[:8]}{number // 864_000 + 1:02}{at[10:]}","chain":"{chain}","data":{data},'
            f'"kind":"activation.updated","prev":"{prev}","reason":"","seq":{seq + 1},"source":"desk","v":1}}'
        )
        heads[chain] = (seq + 1, hashlib.sha256(body.encode()).hexdigest())
        yield body


def _note(tree: Range) -> str:
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    text = note_text(Checkpoint(ORIGIN, tree.size, tree.root))
    signature = key_hash(ORIGIN, private.public_key().public_bytes_raw()) + private.sign(text.encode())
    return f"{text}\n— {ORIGIN} {base64.b64encode(signature).decode()}\n"


def _put(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]] or [10_000, 100_000, 1_000_000])
