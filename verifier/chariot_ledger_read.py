"""Reads exports of the ledger, signed checkpoints and keys, and knows the Merkle tree and its proofs.

The formats are described in README.md beside this file. Nothing here judges; `chariot_ledger_verify` does.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

EXPORT = "chariot-ledger-1"
LONGEST_LINE = 64 * 1024 * 1024
AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
KNOWN = ("chain", "seq", "kind", "at", "prev")
TEXTS = ("actor", "at", "chain", "kind", "prev", "reason", "source")
TYPES = {"data": dict, "seq": int, "v": int} | dict.fromkeys(TEXTS, str)


class Unreadable(Exception):
    """Something that was given is not what it must be; the message says what and where."""


# --- the Merkle tree of RFC 6962 and its proofs --------------------------------------------------------------


def leaf_hash(body: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that grows leaf by leaf, as the roots of the perfect subtrees it splits into, largest first."""

    def __init__(self) -> None:
        self.size, self.roots = 0, list[bytes]()

    def add(self, leaf: bytes) -> None:
        node, bits = leaf, self.size
        while bits & 1:
            node, bits = node_hash(self.roots.pop(), node), bits >> 1
        self.roots.append(node)
        self.size += 1

    @property
    def root(self) -> bytes:
        if not self.roots:
            return hashlib.sha256(b"").digest()
        root = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            root = node_hash(left, root)
        return root


def inclusion_root(leaf: bytes, index: int, size: int, proof: Iterable[bytes]) -> bytes | None:
    """The root that an inclusion proof leads to (RFC 9162 2.1.3.2); None when the proof is too long or too short."""
    place, last, root = index, size - 1, leaf
    for other in proof:
        if last <= 0:
            return None
        if place & 1 or place == last:
            root = node_hash(other, root)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            root = node_hash(root, other)
        place, last = place >> 1, last >> 1
    return root if last == 0 and index < size else None


def consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: list[bytes]) -> bool:
    """Whether the tree of `new` leaves begins with the tree of `old` leaves (RFC 9162 2.1.4.2)."""
    if old == new:
        return old_root == new_root and not proof
    if not 0 < old < new:
        return False
    path = [old_root, *proof] if old & (old - 1) == 0 else proof
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    if not path:
        return False
    first = second = path[0]
    for other in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            first, second = node_hash(other, first), node_hash(other, second)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            second = node_hash(second, other)
        place, last = place >> 1, last >> 1
    return last == 0 and (first, second) == (old_root, new_root)


# --- checkpoints: C2SP tlog-checkpoint in a C2SP signed note -------------------------------------------------


@dataclass(frozen=True)
class Note:
    """A checkpoint: the ledger's name, how many entries it covers, the root over them; `text` is what is signed."""

    origin: str
    size: int
    root: bytes
    text: str
    signatures: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Key:
    """A verifier key of C2SP signed-note, `name+hash+base64`."""

    name: str
    id: bytes
    public: Ed25519PublicKey


def unbase64(text: str) -> bytes:
    """Strict: padding, and no bits left over. Raises ValueError."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("not base64")
    return data


def hashes(lines: Iterable[str]) -> list[bytes]:
    found = [unbase64(line) for line in lines]
    if any(len(digest) != 32 for digest in found):
        raise ValueError("not a hash")
    return found


def read_note(text: str, where: str) -> Note:
    """Line ends as a mail program left them are taken; everything else must be as it was signed."""
    text = text.replace("\r\n", "\n").rstrip("\n") + "\n"
    signed, _, tail = text.partition("\n\n")
    lines = signed.split("\n")
    try:
        origin, size, root = lines[:3]
        if not re.fullmatch("0|[1-9][0-9]{0,18}", size) or not origin:
            raise ValueError("no size or no origin")
        signatures = []
        for line in tail[:-1].split("\n"):
            dash, name, encoded = line.split(" ")
            if dash != "—":
                raise ValueError("no signature line")
            signatures.append((name, unbase64(encoded)))
        return Note(origin, int(size), hashes([root])[0], f"{signed}\n", tuple(signatures))
    except ValueError:
        raise Unreadable(f"{where} is not a signed checkpoint.") from None


def read_key(text: str) -> Key:
    try:
        name, digest, encoded = text.strip().split("+", 2)
        data = unbase64(encoded)
        identity = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
        if data[:1] != b"\x01" or identity.hex() != digest or not name:
            raise ValueError("not an Ed25519 key, or mistyped")
        return Key(name, identity, Ed25519PublicKey.from_public_bytes(data[1:]))
    except ValueError:
        raise Unreadable(f"The key {text!r} is no verifier key (name+hash+base64), or it is mistyped.") from None


def signed_by(note: Note, keys: Iterable[Key]) -> bool | None:
    """Whether one of the keys signed it; None when no signature line names one of them."""
    named = [(key, line) for key in keys for line in note.signatures if (line[0], line[1][:4]) == (key.name, key.id)]
    for key, (_, signature) in named:
        try:
            key.public.verify(signature[4:], note.text.encode())
        except InvalidSignature:
            continue
        return True
    return False if named else None


# --- exports -------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Entry:
    """A line of an export. `fault` is what is wrong with the entry by itself; its members may be unknown then."""

    index: int
    leaf: bytes
    hash: str
    chain: str = ""
    seq: int = 0
    kind: str = ""
    at: str = ""
    prev: str = ""
    fault: str = ""
    proof: tuple[bytes, ...] = ()

    def __str__(self) -> str:
        if not self.chain:
            return f"the entry at index {self.index}"
        return f"{named(self.chain, self.seq)} (index {self.index}, {self.kind}, {self.at})"


def named(chain: str, seq: int) -> str:
    return f"entry {seq} of {'the portal' if chain == 'portal' else chain}"


def no_fraction(text: str) -> NoReturn:
    raise ValueError(f"{text} is no whole number, and the ledger writes no others")


READ = json.JSONDecoder(parse_float=no_fraction, parse_constant=no_fraction).decode
WRITTEN = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def read_entry(line: dict[str, Any]) -> Entry:
    """Raises ValueError or KeyError when the line is no entry; what is wrong with its content is its `fault`."""
    index, digest, body, proof = line["index"], line["hash"], line["body"], tuple(hashes(line.get("proof", ())))
    if type(index) is not int or index < 0 or not isinstance(digest, str) or not isinstance(body, str):
        raise ValueError("not an entry")
    data = body.encode("utf-8", "surrogatepass")
    entry = Entry(index, leaf_hash(data), digest, proof=proof)
    fault = "" if hashlib.sha256(data).hexdigest() == digest else "its content is not what its hash was made of"
    try:
        said = READ(body)
        if not isinstance(said, dict) or {name: type(value) for name, value in said.items()} != TYPES:
            entry.fault = fault or "its content is not that of a ledger entry"
            return entry
        # RFC 8785 for what the ledger writes: text, whole numbers, member names of plain letters.
        canonical = WRITTEN(said)
    except (ValueError, RecursionError):
        entry.fault = fault or "its content is not JSON"
        return entry
    if not fault and (canonical != body or not AT.fullmatch(said["at"]) or said["v"] != 1 or said["seq"] < 1):
        fault = "its content is not written as the ledger writes"
    entry.chain, entry.seq, entry.kind, entry.at, entry.prev = (said[name] for name in KNOWN)
    entry.fault = fault
    return entry


class Export:
    """An export of the ledger in JSON Lines: a header, an entry a line in order of index, and an end line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as file:
            header = self._object(file.readline(LONGEST_LINE), 1)
        if header.get("export") != EXPORT or not isinstance(header.get("checkpoint"), str):
            raise Unreadable(f"{path} is no export of the ledger: its first line is not the header ({EXPORT}).")
        self.note = read_note(header["checkpoint"], f"The checkpoint of {path}")
        self.filter: dict[str, Any] | None = header.get("filter")
        if not isinstance(self.filter, dict | None):
            raise Unreadable(f"{path}, line 1: the filter is unreadable.")
        self.made_at = str(header.get("made_at", ""))
        self.announced: object = None  # by the end line, once it was read
        # One license, or everything up to a time, leaves no gaps in any chain; other filters do.
        wanted = self.filter or {}
        self.unbroken = set(wanted) <= {"license", "until"} and all(type(value) is str for value in wanted.values())

    def entries(self) -> Iterator[Entry]:
        """Raises Unreadable where a line is none, and at the end when the file was cut off."""
        with self._open() as file:
            file.readline(LONGEST_LINE)
            number, count = 1, 0
            while True:
                number += 1
                line = self._object(file.readline(LONGEST_LINE), number)
                if "end" in line:
                    break
                try:
                    entry = read_entry(line)
                except (ValueError, KeyError, TypeError):
                    raise Unreadable(f"{self.path}, line {number} is not an entry of the ledger.") from None
                count += 1
                yield entry
            if file.readline(LONGEST_LINE).strip():
                raise Unreadable(f"{self.path} goes on after its end line ({number}).")
            self.announced = line["end"]

    def covers(self, entry: Entry) -> bool:
        """Whether an entry should be in this export, as far as its filter can tell."""
        wanted = self.filter or {}
        license_id, until = wanted.get("license"), wanted.get("until")
        return self.unbroken and license_id in (None, entry.chain) and (until is None or entry.at <= until)

    def _open(self) -> Any:
        try:
            if not self.path.is_file():
                raise Unreadable(f"{self.path} is no file (an export is read more than once, so it cannot be a pipe).")
            return self.path.open("rb")
        except OSError as error:
            raise Unreadable(f"{self.path} cannot be read: {error.strerror}.") from None

    def _object(self, line: bytes, number: int) -> dict[str, Any]:
        if not line.endswith(b"\n"):
            raise Unreadable(f"{self.path} is cut off in line {number}, or was not copied whole. Fetch it again.")
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise Unreadable(f"{self.path}, line {number} is unreadable.")
        return found
