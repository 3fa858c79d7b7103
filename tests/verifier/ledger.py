"""A ledger made for the verifier's tests, with the portal's own formats but without its database; and its exports.

`Ledger.bodies` are the entries in order of their leaves. Attacks change that list; `rehashed` makes the chains fit
again, as somebody with the database would.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from activations.domain.checkpoint import Checkpoint, key_hash, note_text
from activations.domain.ledger import GENESIS, Entry, read_body
from activations.domain.merkle import Range, inclusion_proof, leaf_hash

ORIGIN = "licensing.example.com/ledger"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
CHAINS = ("portal", "LIC-AAAA-0001", "LIC-BBBB-0002", "LIC-CCCC-0003")
MADE_AT = "2026-11-24T15:00:00.000000Z"


@lru_cache(maxsize=100_000)
def _read(body: str) -> Entry:
    return read_body(body)


@lru_cache(maxsize=100)
def _leaves(bodies: tuple[str, ...]) -> list[bytes]:
    return [leaf_hash(body.encode("utf-8", "surrogatepass")) for body in bodies]


def vkey(private: Ed25519PrivateKey = PRIVATE, origin: str = ORIGIN) -> str:
    public = private.public_key().public_bytes_raw()
    return f"{origin}+{key_hash(origin, public).hex()}+{base64.b64encode(bytes([1]) + public).decode()}"


@dataclass(frozen=True)
class Ledger:
    bodies: tuple[str, ...] = ()

    def entry(self, index: int) -> Entry:
        return _read(self.bodies[index])

    def leaves(self) -> list[bytes]:
        return _leaves(self.bodies)

    def note(self, size: int | None = None, private: Ed25519PrivateKey = PRIVATE, origin: str = ORIGIN) -> str:
        size = len(self.bodies) if size is None else size
        root = Range().grown(self.leaves()[:size]).root
        text = note_text(Checkpoint(origin, size, root))
        signature = key_hash(origin, private.public_key().public_bytes_raw()) + private.sign(text.encode())
        return f"{text}\n— {origin} {base64.b64encode(signature).decode()}\n"

    def put(self, index: int, *bodies: str, instead: int = 0) -> Ledger:
        """With other bodies at an index, in place of `instead` of its own."""
        return Ledger(self.bodies[:index] + bodies + self.bodies[index + instead :])

    def told(self, index: int, **changes: Any) -> Ledger:
        """With other words in an entry; its hash is then another one, too, and its chain broken."""
        return self.put(index, replace(self.entry(index), **changes).body, instead=1)

    def rehashed(self) -> Ledger:
        """Every chain numbered and linked anew: it contradicts itself nowhere."""
        heads: dict[str, tuple[int, str]] = {}
        bodies = []
        for index in range(len(self.bodies)):
            entry = self.entry(index)
            seq, head = heads.get(entry.chain, (0, GENESIS))
            entry = replace(entry, seq=seq + 1, prev=head)
            heads[entry.chain] = (entry.seq, entry.hash)
            bodies.append(entry.body)
        return Ledger(tuple(bodies))

    def lines(self, indexes: Sequence[int] | None = None) -> list[dict[str, Any]]:
        """The entries as lines of an export; with `indexes` only these, each with its proof."""
        chosen = range(len(self.bodies)) if indexes is None else indexes
        found: list[dict[str, Any]] = []
        for index in chosen:
            body = self.bodies[index]
            digest = hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
            line: dict[str, Any] = {"index": index, "hash": digest, "body": body}
            if indexes is not None:
                line["proof"] = [base64.b64encode(step).decode() for step in self.proof(index)]
            found.append(line)
        return found

    def proof(self, index: int) -> list[bytes]:
        leaves = self.leaves()

        def subtree(level: int, place: int) -> bytes:
            return Range().grown(leaves[place << level : (place + 1) << level]).root

        return inclusion_proof(index, len(leaves), subtree)

    def of(self, chain: str) -> list[int]:
        return [index for index in range(len(self.bodies)) if self.entry(index).chain == chain]


@dataclass
class Files:
    """Writes exports and kept things into a folder."""

    folder: Path
    made: int = field(default=0)

    def write(self, text: str, name: str = "") -> str:
        self.made += 1
        file = self.folder / (name or f"{self.made}.txt")
        file.write_text(text, "utf-8")
        return str(file)

    def export(self, ledger: Ledger, **how: Any) -> str:
        return self.write(export_text(ledger, **how), f"export-{self.made}.jsonl")

    def leaves(self, ledger: Ledger, begin: int, end: int, note: str = "") -> str:
        hashes = "".join(f"{base64.b64encode(leaf).decode()}\n" for leaf in ledger.leaves()[begin:end])
        return self.write(f"chariot-ledger-leaves-1 {begin} {end}\n{hashes}" + (f"\n{note}" if note else ""))

    def witness(self, ledger: Ledger, *sizes: int, partial: Sequence[int] = ()) -> str:
        """A folder as a witness has it after checkpoints of these sizes; the last one is the newest."""
        self.made += 1
        root = self.folder / f"witness-{self.made}"
        (root / "checkpoints").mkdir(parents=True)
        for size in sizes:
            (root / "checkpoints" / str(size)).write_text(ledger.note(size), "utf-8")
            (root / "checkpoint").write_text(ledger.note(size), "utf-8")
        leaves = ledger.leaves()
        for size in (*partial, sizes[-1]):
            for number in range(-(-size // 256)):
                tile = leaves[number * 256 : min(size, number * 256 + 256)]
                width = "" if len(tile) == 256 else f".p/{len(tile)}"
                file = root / f"tile/0/{number:03}{width}"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(b"".join(tile))
        return str(root)


def export_text(
    ledger: Ledger,
    *,
    lines: Sequence[dict[str, Any]] | None = None,
    note: str | None = None,
    filter: dict[str, str] | None = None,
    made_at: str = MADE_AT,
    end: int | None = None,
) -> str:
    lines = ledger.lines() if lines is None else lines
    header = {"export": "chariot-ledger-1", "origin": ORIGIN, "checkpoint": ledger.note() if note is None else note}
    header |= {"filter": filter, "entries": len(lines), "made_at": made_at, "by": "auditor"}  # type: ignore[dict-item]
    ending = {"end": len(lines) if end is None else end}
    return "".join(json.dumps(line) + "\n" for line in (header, *lines, ending))


def made(count: int, chains: Sequence[str] = CHAINS) -> Ledger:
    """`count` entries, of the chains in turn with some irregularity, a second apart."""
    bodies, heads = [], dict[str, tuple[int, str]]()
    for number in range(count):
        chain = chains[(number * number + number // 3) % len(chains)]
        seq, head = heads.get(chain, (0, GENESIS))
        entry = Entry(
            chain=chain,
            seq=seq + 1,
            at=f"2026-11-24T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}.000000Z",
            actor="agent",
            kind="activation.created" if seq else "license.created",
            reason="",
            source="test",
            data={"number": number, "name": 'Acme Water 水\u2028\x7f\t"\\'},
            prev=head,
        )
        heads[chain] = (entry.seq, entry.hash)
        bodies.append(entry.body)
    return Ledger(tuple(bodies))
