"""The papers of a restoration case: photos, PDFs and mails, kept byte for byte as they were given."""

from __future__ import annotations

import hashlib
import re
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from chariot_license.protocol.clean import readable
from django.db import transaction

from activations.domain.ledger import Kind
from activations.domain.words import Ability, Actor, RestorationState
from activations.models import Evidence, Restoration
from activations.services.booking import Book, lock_license
from activations.services.mail_text import everything_in
from activations.services.results import BadInput, Refused, lacking, public_id
from activations.services.secret_text import CODE, KEY, TOKEN, UNSEARCHED, secret_in, secret_in_bytes, without_secrets

MOST_FILES = 10  # of one case
LARGEST_FILE = 5_000_000  # bytes
LONGEST_NAME = 120  # characters
MOST_INFLATED = 20_000_000  # bytes of the streams of one PDF file

# What a file is says its content, not its name: (first bytes, media type, extension).
_BINARY = (
    (b"\xff\xd8\xff", "image/jpeg", ".jpg"),
    (b"\x89PNG\r\n\x1a\n", "image/png", ".png"),
    (b"GIF87a", "image/gif", ".gif"),
    (b"GIF89a", "image/gif", ".gif"),
    (b"II*\x00", "image/tiff", ".tif"),
    (b"MM\x00*", "image/tiff", ".tif"),
    (b"%PDF-", "application/pdf", ".pdf"),
)
_ALSO = {".jpg": (".jpeg",), ".tif": (".tiff",), ".heic": (".heif",)}  # other spellings of an extension
_HEIC = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_OUTLOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_TEXT = {".eml": "message/rfc822", ".txt": "text/plain"}
_ACCEPTED = "photos (JPEG, PNG, HEIC, WebP, GIF, TIFF), PDF files and mails (.eml, .msg, .txt)"


@dataclass(frozen=True)
class EvidenceAdded:
    restoration_id: str
    name: str
    sha256: str
    size: int


def add_evidence(
    *, restoration_id: str, name: str, content: bytes, actor: Actor, source: str, reason: str = ""
) -> EvidenceAdded | Refused | BadInput:
    """Keeps one file with a case that is still open. The same file is kept once, under whatever name it comes."""
    problem = _not_allowed(actor)
    if problem:
        return problem
    named = public_id("RES", restoration_id)
    if isinstance(named, BadInput):
        return named
    file = _checked(name, content)
    if isinstance(file, BadInput):
        return file
    cases = Restoration.objects.filter(restoration_id=named)
    license_pk = cases.values_list("activation__license_id", flat=True).first()
    if license_pk is None:
        return BadInput("restoration-unknown", f"There is no restoration case {named}.")
    with transaction.atomic():
        license = lock_license(license_pk)
        case = cases.get()
        refused = _not_addable(case, file)
        if refused:
            return refused
        with Book(chain=license.license_id, actor=actor, source=source, reason=reason) as book:
            Evidence.objects.create(
                restoration=case,
                name=file.name,
                media_type=file.media_type,
                content=content,
                size=len(content),
                sha256=file.sha256,
                added_at=book.now,
                added_by=actor.name,
            )
            said = {"restoration_id": named, "name": file.name, "sha256": file.sha256, "size": len(content)}
            book.add(Kind.EVIDENCE_ADDED, said)
        return EvidenceAdded(named, file.name, file.sha256, len(content))


def too_large(name: str) -> BadInput:
    """Also for who knows the size before the content."""
    return BadInput(
        "evidence-too-large",
        f"{clean_name(without_secrets(name))} is larger than 5 MB. Send a smaller photo, or only the pages that "
        "matter.",
    )


def clean_name(name: str) -> str:
    """A file name without folders, without what cannot be seen, and without what a file system does not take."""
    bare = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    seen = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in bare)
    safe = "".join("_" if letter in '<>:"|?*' else letter for letter in seen)
    path = PurePosixPath(" ".join(safe.split()).strip(". ") or "file")
    suffix = path.suffix[:12]
    return path.name.removesuffix(path.suffix)[: LONGEST_NAME - len(suffix)].rstrip(". ") + suffix


@dataclass(frozen=True)
class _File:
    name: str
    media_type: str
    sha256: str


def _not_allowed(actor: Actor) -> Refused | None:
    if actor.may(Ability.DECIDE_RESTORATION):
        return None
    return lacking(actor, [Ability.REQUEST_RESTORATION])


def _checked(name: str, content: bytes) -> _File | BadInput:
    """The file with a clean name that fits what it is, or what is wrong with it."""
    clean = clean_name(name)
    if len(content) > LARGEST_FILE:
        return too_large(name)
    if not content:
        return BadInput(
            "evidence-empty",
            f"{without_secrets(clean)} is empty. Open it on your computer, save it again and add that.",
        )
    kind = _kind(clean, content)
    if kind is None:
        shown = without_secrets(clean)
        return BadInput("evidence-kind", f"{shown} is not a kind of file that is kept with a case: {_ACCEPTED} are.")
    media_type, extension = kind
    if PurePosixPath(clean).suffix.lower() not in (extension, *_ALSO.get(extension, ())):
        clean = clean[: LONGEST_NAME - len(extension)] + extension
    try:
        held = _secret_in(media_type, content)
    except ValueError:
        held = UNSEARCHED
    named = _holds("The name of the file", secret_in(name))
    return named or _holds(clean, held) or _File(clean, media_type, _sha256(content))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _kind(name: str, content: bytes) -> tuple[str, str] | None:
    """Media type and extension; None for what is no photo, PDF or mail."""
    for start, media_type, extension in _BINARY:
        if content.startswith(start):
            return media_type, extension
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp", ".webp"
    if content[4:8] == b"ftyp" and content[8:12] in _HEIC:
        return "image/heic", ".heic"
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".msg" and content.startswith(_OUTLOOK):
        return "application/vnd.ms-outlook", ".msg"
    if suffix in _TEXT and b"\x00" not in content:
        return _TEXT[suffix], suffix
    return None


def _secret_in(media_type: str, content: bytes) -> str:
    """What is kept as evidence is kept for good, so no License Key may stand in it, and no code that frees a seat.

    Found is what stands in letters: in texts, in all parts of a mail, in UTF-16, in the streams of a PDF file. Not what
    a picture shows, nor what is encrypted. Raises ValueError for a mail that cannot be taken apart.
    """
    texts: list[str | bytes] = [content]
    if media_type in _TEXT.values():
        texts.append(readable(content))
    if media_type == "message/rfc822":
        texts += everything_in(content)
    inflated = MOST_INFLATED
    for text in texts:
        held = secret_in(text) if isinstance(text, str) else secret_in_bytes(text)
        if held:
            return held
        for stream in _streams(text, inflated) if isinstance(text, bytes) else ():
            inflated -= len(stream)
            held = secret_in_bytes(stream) or secret_in_bytes(_drawn(stream))
            if held:
                return held
    return ""


_STREAM = re.compile(rb"stream\r?\n")
_SHOWN = re.compile(rb"\[((?:\((?:[^()\\]|\\.)*\)|[^\[\]()])*)\]\s*TJ|(\((?:[^()\\]|\\.)*\))\s*Tj", re.DOTALL)
_STRING = re.compile(rb"\(((?:[^()\\]|\\.)*)\)", re.DOTALL)


def _streams(content: bytes, most: int) -> Iterator[bytes]:
    """The inflated streams of a PDF file (ISO 32000-1, 7.4.4), `most` bytes together; nothing of any other file."""
    if not content.startswith(b"%PDF-"):
        return
    for match in _STREAM.finditer(content):
        if most <= 0:
            return
        try:
            # From a copy no longer than it can need: zlib stops at the end of the stream by itself.
            stream = zlib.decompressobj().decompress(memoryview(content)[match.end() :], most)
        except zlib.error:
            continue
        most -= len(stream)
        yield stream


def _drawn(stream: bytes) -> bytes:
    """The letters that a page of a PDF file draws, without what moves them apart (ISO 32000-1, 9.4.3)."""
    if b"TJ" not in stream and b"Tj" not in stream:
        return b""
    return b"\n".join(b"".join(_STRING.findall(shown[1] or shown[2])) for shown in _SHOWN.finditer(stream))


def _holds(name: str, held: str) -> BadInput | None:
    if held == KEY:
        return BadInput(
            "evidence-holds-key",
            f"{without_secrets(name)} holds a License Key, and evidence is kept for good. Take the key out and add the "
            "file again.",
        )
    if held == CODE:
        return BadInput(
            "evidence-holds-code",
            f"{without_secrets(name)} holds a deactivation code. Paste it on the desk: it frees the seat without a "
            "restoration.",
        )
    if held == TOKEN:
        return BadInput(
            "evidence-holds-token",
            f"{without_secrets(name)} holds an API token, and evidence is kept for good. Take the token out and add "
            "the file again.",
        )
    return _unsearchable(name) if held else None


def _unsearchable(name: str) -> BadInput:
    return BadInput(
        "evidence-unsearchable",
        f"{without_secrets(name)} cannot be searched for License Keys. Save it as a PDF and add that.",
    )


def _not_addable(case: Restoration, file: _File) -> Refused | None:
    if case.state != RestorationState.REQUESTED:
        return Refused(
            "restoration-decided",
            f"Case {case.restoration_id} is {case.state}: evidence is added only while a case is open.",
        )
    kept = dict(case.evidence.values_list("sha256", "name"))
    if file.sha256 in kept:
        same = kept[file.sha256]
        under = "" if same == file.name else f" as {same}"
        return Refused("evidence-kept-already", f"{file.name} is kept with this case already{under}. Nothing changed.")
    if len(kept) >= MOST_FILES:
        return Refused(
            "evidence-full",
            f"Case {case.restoration_id} has {MOST_FILES} files, which is the most. Put what matters into one PDF next "
            "time.",
        )
    return None
