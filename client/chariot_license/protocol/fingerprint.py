"""Host fingerprints: separately hashed components, and the one rule by which two of them match.

Design 9.5. See docs/protocol.md, "Host fingerprint", for what the hashing protects and what it does not.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MACHINE_ID, BOARD_UUID, MAC, DISK_SERIAL, CPU_MODEL = (
    "machine_id",
    "board_uuid",
    "mac",
    "disk_serial",
    "cpu_model",
)
NAMES = (MACHINE_ID, BOARD_UUID, MAC, DISK_SERIAL, CPU_MODEL)
STRONG = (BOARD_UUID, DISK_SERIAL, MACHINE_ID, MAC)
HASH_BYTES = 8
MAX_MACS = 2

_LABEL = b"chariot-fp-1"
_CLAIM_KEYS = {MACHINE_ID: 1, BOARD_UUID: 2, MAC: 3, DISK_SERIAL: 4, CPU_MODEL: 5}
_WORDS = {
    BOARD_UUID: "board",
    DISK_SERIAL: "disk",
    MACHINE_ID: "machine id",
    MAC: "network card",
    CPU_MODEL: "processor",
}
# What boards and disks report when nobody set a value: the same on thousands of hosts, so it identifies none.
_PLACEHOLDERS = {
    "03000200-0400-0500-0006-000700080009",
    "12345678-1234-5678-90ab-cddeefaabbcc",
    "to be filled by o.e.m.",
    "default string",
    "not specified",
    "not applicable",
    "system serial number",
    "none",
    "n/a",
}


@dataclass(frozen=True)
class HostFacts:
    """What is known of a host, in clear. It never leaves the host; every part may be missing."""

    machine_id: str | None = None
    board_uuid: str | None = None
    macs: tuple[str, ...] = ()
    disk_serial: str | None = None
    cpu_model: str | None = None
    hostname: str | None = None
    container: str | None = None
    virtual: str | None = None


@dataclass(frozen=True, init=False)
class Fingerprint:
    """The hashed components of a host: 8 bytes each, at most 2 for "mac", 1 for the others.

    `components` maps names of NAMES to their hashes; order within "mac" and of the names does not matter.
    Raises ValueError for anything else.
    """

    items: tuple[tuple[str, tuple[bytes, ...]], ...]

    def __init__(self, components: Mapping[str, Iterable[bytes]]) -> None:
        items = tuple((name, tuple(sorted(set(components[name])))) for name in NAMES if name in components)
        if len(items) != len(components):
            raise ValueError(f"fingerprint components are {', '.join(NAMES)}")
        for name, hashes in items:
            if not 1 <= len(hashes) <= (MAX_MACS if name == MAC else 1):
                raise ValueError(f"wrong number of hashes for {name}")
            if any(len(value) != HASH_BYTES for value in hashes):
                raise ValueError(f"a hash of {name} has not {HASH_BYTES} bytes")
        object.__setattr__(self, "items", items)

    @property
    def components(self) -> Mapping[str, tuple[bytes, ...]]:
        return dict(self.items)

    def to_claim(self) -> dict[int, bytes]:
        """Return the CBOR map of the claim; the MAC hashes follow each other in one byte string."""
        return {_CLAIM_KEYS[name]: b"".join(hashes) for name, hashes in self.items}

    @classmethod
    def from_claim(cls, claim: object) -> "Fingerprint":
        """Read the map that `to_claim` returns. Raises ValueError if it is no such map."""
        if not isinstance(claim, dict) or not all(isinstance(value, bytes) for value in claim.values()):
            raise ValueError("a fingerprint is a map of byte strings")
        names = {key: name for name, key in _CLAIM_KEYS.items()}
        # bool is an int in Python, so true would pass for component 1.
        if not all(type(key) is int and key in names for key in claim):
            raise ValueError("unknown fingerprint component")
        fingerprint = cls({names[key]: _split(value) for key, value in claim.items()})
        if fingerprint.to_claim() != claim:
            raise ValueError("the MAC hashes are not in ascending order")
        return fingerprint

    def to_json(self) -> dict[str, list[str]]:
        """Return hex strings by component name, for databases and vectors."""
        return {name: [value.hex() for value in hashes] for name, hashes in self.items}

    @classmethod
    def from_json(cls, value: Mapping[str, Iterable[str]]) -> "Fingerprint":
        """Read what `to_json` returns. Raises ValueError if it is anything else."""
        return cls({name: [bytes.fromhex(text) for text in hashes] for name, hashes in value.items()})


@dataclass(frozen=True)
class Match:
    """How the fingerprint seen now compares with the one known before.

    `comparable` counts the strong components present on both sides, `shared` names those of them that agree.
    `changed`, `appeared` and `vanished` also name the CPU model, which never counts towards `matched`.
    """

    matched: bool
    comparable: int
    shared: tuple[str, ...]
    changed: tuple[str, ...]
    appeared: tuple[str, ...]
    vanished: tuple[str, ...]

    @property
    def words(self) -> str:
        """A phrase for people: "network card changed; board, disk and machine id are the same"."""
        parts = []
        if self.changed:
            parts.append(f"{_listed(self.changed)} changed")
        if self.appeared:
            parts.append(f"{_listed(self.appeared)} {_are(self.appeared)} reported for the first time")
        if self.vanished:
            parts.append(f"{_listed(self.vanished)} {_are(self.vanished)} no longer reported")
        if self.shared:
            parts.append(f"{_listed(self.shared)} {_are(self.shared)} the same")
        return "; ".join(parts) or "nothing about the two hosts can be compared"


def fingerprint_of(facts: HostFacts, salt: bytes) -> Fingerprint:
    """Hash each usable fact with the license's salt (`LicenseKey.salt`).

    HMAC-SHA256(salt, "chariot-fp-1" || name || 0x00 || normalised value), first 8 bytes. Of more than 2 MACs
    the 2 lowest are taken, so that the order in which the host lists its interfaces does not matter.
    """
    single = {
        MACHINE_ID: facts.machine_id,
        BOARD_UUID: facts.board_uuid,
        DISK_SERIAL: facts.disk_serial,
        CPU_MODEL: facts.cpu_model,
    }
    values = {name: [clean] for name, value in single.items() if (clean := _normalised(value))}
    if macs := sorted({clean for mac in facts.macs if (clean := _normalised_mac(mac))}):
        values[MAC] = macs[:MAX_MACS]
    return Fingerprint({name: [_hashed(salt, name, v) for v in found] for name, found in values.items()})


def match(known: Fingerprint, seen: Fingerprint) -> Match:
    """Compare two fingerprints made with the same salt (Design 9.5).

    They match if at least two strong components agree and these are more than half of the strong components
    present on both sides. MACs are one component that agrees if any of them is in common. With fewer than two
    comparable components there is no match: a person decides.
    """
    before, now = dict(known.items), dict(seen.items)
    order = (*STRONG, CPU_MODEL)
    both = [name for name in order if name in before and name in now]
    same = [name for name in both if set(before[name]) & set(now[name])]
    shared = tuple(name for name in same if name in STRONG)
    comparable = sum(name in STRONG for name in both)
    return Match(
        matched=len(shared) >= 2 and 2 * len(shared) > comparable,
        comparable=comparable,
        shared=shared,
        changed=tuple(name for name in both if name not in same),
        appeared=tuple(name for name in order if name in now and name not in before),
        vanished=tuple(name for name in order if name in before and name not in now),
    )


def _hashed(salt: bytes, name: str, value: str) -> bytes:
    text = _LABEL + name.encode() + b"\x00" + value.encode("utf-8", "replace")
    return hmac.new(salt, text, hashlib.sha256).digest()[:HASH_BYTES]


def _normalised(value: str | None) -> str | None:
    """Trim, fold white space, lower-case A-Z alone (the same in every locale); None if it names no host."""
    clean = re.sub(r"[ \t\r\n\f\v\x00]+", " ", value or "").strip(" ")
    clean = "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in clean)
    if clean in _PLACEHOLDERS or not clean.strip("0-. ") or not clean.strip("f-. "):
        return None
    return clean


def _normalised_mac(value: str) -> str | None:
    clean = re.sub(r"[:.\- ]", "", value.strip()).lower()
    if not re.fullmatch("[0-9a-f]{12}", clean) or clean in ("0" * 12, "f" * 12):
        return None
    return clean


def _split(value: bytes) -> list[bytes]:
    return [value[i : i + HASH_BYTES] for i in range(0, len(value), HASH_BYTES)]


def _listed(names: tuple[str, ...]) -> str:
    words = [_WORDS[name] for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _are(names: tuple[str, ...]) -> str:
    return "is" if len(names) == 1 else "are"
