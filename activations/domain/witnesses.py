"""The addresses of witnesses: whoever keeps our checkpoints where we cannot reach them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from activations.domain.cosignatures import COSIGNATURE, VerifierKey, read_key

LONGEST = 500
_ADDRESS = re.compile(r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+\.[^\s@<>,;:\"]+")


class WitnessKind(StrEnum):
    FOLDER = "folder"
    MAIL = "mail"
    HTTP = "http"


@dataclass(frozen=True)
class Witness:
    """`name` is what receipts, screens and the log call it: its address as it was configured, without the key.

    `target`: the folder's path, the email address, or the prefix of the URL without its last slash.
    """

    kind: WitnessKind
    name: str
    target: str
    key: VerifierKey | None = None


def read_witness(text: str) -> Witness:
    """The witness an address names. Raises ValueError that says what is wrong with it, never with a password in it."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("it is no address") from None
    if len(text) > LONGEST:
        raise ValueError(f"it is longer than {LONGEST} letters")
    if "@" in parts.netloc:
        raise ValueError("it holds a name or a password, which would be shown and logged. Leave it out")
    match parts.scheme:
        case "file":
            return _folder(text)
        case "mailto":
            return _mail(text)
        case "https" | "http":
            return _http(text, port)
    raise ValueError("it begins with none of file://, mailto:, https://")


def read_witnesses(texts: Iterable[str]) -> list[Witness]:
    """Those of the setting that can be read, each once; the system check names the others."""
    found: dict[str, Witness] = {}
    for text in texts:
        try:
            witness = read_witness(text)
        except ValueError:
            continue
        found.setdefault(witness.name, witness)
    return list(found.values())


def _folder(text: str) -> Witness:
    parts = urlsplit(text)
    path = unquote(parts.path)
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise ValueError(
            "a folder is written file:// and its whole path, three slashes in all, and nothing behind the path"
        )
    if not PurePosixPath(path).is_absolute() or PurePosixPath(path) == PurePosixPath("/") or ".." in path.split("/"):
        raise ValueError("a folder is written file:// and its whole path, which is not the root itself")
    target = str(PurePosixPath(path))
    return Witness(WitnessKind.FOLDER, f"file://{target}", target)


def _mail(text: str) -> Witness:
    address = unquote(text.removeprefix("mailto:"))
    if not _ADDRESS.fullmatch(address):
        raise ValueError("a mail address is written mailto:name@example.com, one each, and nothing behind it")
    return Witness(WitnessKind.MAIL, f"mailto:{address}", address)


def _http(text: str, port: int | None) -> Witness:
    parts = urlsplit(text)
    if not parts.hostname or parts.query:
        raise ValueError("an address of a witness is written https://host/prefix#key")
    if parts.scheme == "http" and not _loopback(parts.hostname):
        raise ValueError("checkpoints go over https:// only; http:// is for a witness on this very machine")
    prefix = f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
    try:
        key = read_key(parts.fragment, COSIGNATURE) if parts.fragment else None
    except ValueError as error:
        raise ValueError(f"what stands behind its # is not the key of a witness: {error}") from None
    return Witness(WitnessKind.HTTP, prefix, prefix, key)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
