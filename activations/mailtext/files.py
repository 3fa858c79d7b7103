"""What an attached file is to support staff, and what they are told about it."""

from __future__ import annotations

import re

from activations.mailtext.values import PartKind

REQUEST_FILES = (".txt", ".req")
_TEXT_FILES = (".log", ".csv", ".md", ".rtf", ".htm", ".html", ".xml", ".json", ".text", ".asc")
_MAIL_FILES = (".eml",)
_IMAGE_FILES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".heic", ".heif", ".tif", ".tiff")
_ARCHIVE_FILES = (
    ".zip", ".7z", ".rar", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".cab", ".iso", ".arj", ".lzh", ".zst", ".jar",
)  # fmt: skip
_ARCHIVE_STARTS = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"\x1f\x8b\x08",
    b"BZh",
    b"\xfd7zXZ\x00",
)
_OFFICE_FILES = (".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp", ".docm", ".xlsm", ".vsdx", ".epub")
_IMAGE_STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
TNEF_START = b"\x78\x9f\x3e\x22"
# A first look that costs nothing; whether there is a block, find_blocks decides.
_BLOCK = re.compile(r"CHARIOT\W{1,20}USAGE\W{1,20}(?:REQUEST|LICENSE)\W|\bCLR1[0-9A-Z]", re.IGNORECASE)

ARCHIVE_NOTE = (
    "An archive. It is not opened here, because what it unpacks to can harm or be without end."
    " Ask the customer for the Usage Request as text in the mail or as a .txt file."
)
_OTHER_NOTE = "This file is not searched. If the Usage Request is in it, open it and paste the text."
_NOTES = {
    ".pdf": "A PDF is not searched. If the Usage Request is in it, open it and paste the text.",
    ".msg": "A mail saved by Outlook as .msg cannot be read here. Ask the customer to forward the mail itself.",
    ".heic": "A photo in Apple's HEIC form cannot be read here. Ask for the text, or for the photo as JPEG.",
    ".heif": "A photo in Apple's HEIC form cannot be read here. Ask for the text, or for the photo as JPEG.",
    ".tif": "A TIFF picture is not searched for a QR code. Ask for the text, or for a PNG or JPEG.",
    ".tiff": "A TIFF picture is not searched for a QR code. Ask for the text, or for a PNG or JPEG.",
}
_ENDINGS = {
    "text/plain": ".txt", "text/html": ".html", "message/rfc822": ".eml", "image/png": ".png", "image/jpeg": ".jpg",
    "image/gif": ".gif", "application/pdf": ".pdf", "application/zip": ".zip", "text/calendar": ".ics",
    "message/delivery-status": ".txt", "text/rfc822-headers": ".txt",
}  # fmt: skip


def has_block_words(text: str) -> bool:
    """Say whether `text` seems to hold a Usage Request or a Usage License."""
    return bool(_BLOCK.search(text))


def kind_of(name: str, media_type: str, data: bytes) -> PartKind:
    """Return what the file is: by its first bytes where a wrong name would do harm, then by its name, then its type."""
    name = name.lower()
    start = data[:8]
    if name.endswith(_OFFICE_FILES):
        return PartKind.OTHER
    if name.endswith(_ARCHIVE_FILES) or start.startswith(_ARCHIVE_STARTS):
        return PartKind.ARCHIVE
    if name.endswith(_MAIL_FILES) or media_type in ("message/rfc822", "message/global"):
        return PartKind.MAIL
    if name.endswith(_IMAGE_FILES) or start.startswith(_IMAGE_STARTS):
        return PartKind.IMAGE
    if name.endswith(REQUEST_FILES):
        return PartKind.REQUEST
    if media_type.startswith("image/") and media_type != "image/svg+xml":
        return PartKind.IMAGE
    if name.endswith(_TEXT_FILES) or _is_text_type(media_type):
        return PartKind.TEXT
    return PartKind.OTHER


def _is_text_type(media_type: str) -> bool:
    return media_type.startswith("text/") or media_type in (
        "message/delivery-status", "message/global-delivery-status", "message/disposition-notification",
        "message/feedback-report", "application/rtf", "image/svg+xml",
    )  # fmt: skip


def note_of(name: str, media_type: str, kind: PartKind, data: bytes) -> str:
    """Return what staff are told about a file that is not read, "" for one that is."""
    if not data:
        return "The file is empty."
    if kind is PartKind.ARCHIVE:
        return ARCHIVE_NOTE
    ending = name.lower()[name.rfind(".") :] if "." in name else ""
    if ending in _NOTES:
        return _NOTES[ending]
    if media_type in ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"):
        return "The signature of this mail. It is not checked here."
    if media_type == "text/calendar":
        return "An entry for a calendar. It is searched, and nothing is entered anywhere."
    return _OTHER_NOTE if kind is PartKind.OTHER else ""


def name_for(name: str, media_type: str, number: int) -> str:
    """Return the name of a file, made up from its number where the mail gives none."""
    return name or f"part-{number}{_ENDINGS.get(media_type, '')}"
