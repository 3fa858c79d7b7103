"""The codes people handle: public ids, License Key, deactivation code. See docs/protocol.md, "Codes"."""

import hashlib
import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chariot_license.protocol import base32
from chariot_license.protocol.errors import CodeError

PUBLIC_IDS = {
    "LIC": ("license-id", "License ID"),
    "ACT": ("activation-id", "activation id"),
    "USL": ("usage-license-id", "Usage License id"),
    "RES": ("restoration-id", "restoration id"),
    "TMB": ("tombstone-id", "tombstone id"),
}
PUBLIC_ID_BYTES = 10
KEY_MARK = "K"
SEED_BYTES = 8
SECRET_BYTES = 16
_LICENSE_MARKS = {a + b + "C" for a in "LI1" for b in "LI1"}
# Prose after the word LIC has longer words and no digits.
_MISTYPED_ID = re.compile(r"(?=(?:[^0-9]*[0-9]){2})(?:[0-9A-Z]{14,20}|[0-9A-Z]{1,5}(?:-[0-9A-Z]{1,5}){3,})")
_CODE_TOKEN = re.compile(r"[0-9A-Z]+")
# No character has so long a number, and Python refuses to read one of thousands of digits.
_ENDLESS = re.compile(r"&#[xX]?[0-9a-fA-F]{9,};?")
_MARKUP = re.compile(r"=\r?\n|<[^<>]{0,400}>")
_LONGEST_GAP = 24


@dataclass(frozen=True)
class LicenseKey:
    """A License Key: 8 lasting bytes of seed and 16 replaceable bytes of secret (Design 9.4).

    Replacing a leaked key changes the secret only; the fingerprint salt comes from the seed, so no host looks
    changed afterwards.
    """

    seed: bytes = field(repr=False)
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.seed) != SEED_BYTES or len(self.secret) != SECRET_BYTES:
            raise ValueError("a License Key has 8 bytes of seed and 16 bytes of secret")

    @classmethod
    def parse(cls, text: str) -> "LicenseKey":
        """Read a key as people type it. Raises CodeError: "license-key-length", "license-key-typo"."""
        letters = _checked(text, "KEY", "license-key", "License Key", 42)
        if letters[0] != KEY_MARK:
            raise CodeError(
                "license-key-typo",
                "A License Key begins with K. Compare what was entered with the key in the purchase email.",
            )
        raw = _decoded(letters[1:-2], SEED_BYTES + SECRET_BYTES, "license-key", "License Key")
        return cls(raw[:SEED_BYTES], raw[SEED_BYTES:])

    @property
    def text(self) -> str:
        """The canonical text: 42 characters in 7 groups of 6, joined by "-"."""
        data = KEY_MARK + base32.encode(self.seed + self.secret)
        return _grouped(data + base32.check_characters("KEY", data, 2), 6)

    @property
    def lookup_id(self) -> bytes:
        """8 bytes by which a Usage Request names this key without showing it."""
        return _derived(self.secret, "chariot-lookup-1", 8)

    @property
    def proof_key(self) -> bytes:
        """32 bytes: the key of the proof of possession in a Usage Request."""
        return _derived(self.secret, "chariot-proof-1", 32)

    @property
    def receipt_key(self) -> bytes:
        """32 bytes: the key of install receipts."""
        return _derived(self.secret, "chariot-receipt-1", 32)

    @property
    def salt(self) -> bytes:
        """16 bytes: the salt of this license's host fingerprints."""
        return _derived(self.seed, "chariot-salt-1", 16)


@dataclass(frozen=True)
class FoundCodes:
    """What `find_codes` found, each kind in order of appearance and without repeats, in canonical text.

    `problems` names what was clearly meant as a License ID and cannot be right, so that a typo is reported as
    a typo and not as "nothing found".
    """

    license_ids: tuple[str, ...]
    license_keys: tuple[str, ...] = field(repr=False)
    deactivation_codes: tuple[str, ...] = field(repr=False)
    problems: tuple[CodeError, ...] = field(default=(), compare=False)


def format_public_id(prefix: str, value: bytes) -> str:
    """Return a public id such as LIC-7K2M-9Q4T-H3XW-0B5N-C from one of PUBLIC_IDS and exactly 10 bytes."""
    if prefix not in PUBLIC_IDS or len(value) != PUBLIC_ID_BYTES:
        raise ValueError("a public id has a known prefix and 10 bytes")
    data = base32.encode(value)
    return f"{prefix}-{_grouped(data, 4)}-{base32.check_characters(prefix, data, 1)}"


def parse_public_id(prefix: str, text: str) -> str:
    """Return the canonical text of a public id as people type it, with or without its prefix.

    Raises CodeError, named after the kind of id: "license-id-length", "license-id-typo" (wrong check
    character or a character no code contains), "license-id-other-kind" (an activation id, for example).
    """
    name, words = PUBLIC_IDS[prefix]
    letters = base32.normalise(text)
    for other, (_, other_words) in PUBLIC_IDS.items():
        mark = base32.normalise(other)
        if len(letters) > 17 and letters.startswith(mark):
            if other != prefix:
                raise CodeError(
                    f"{name}-other-kind",
                    f"Here the {words} is needed, which begins with {prefix}. What begins with {other} is"
                    f" the {other_words}.",
                    found=other,
                    expected=prefix,
                )
            letters = letters[len(mark) :]
            break
    letters = _checked(letters, prefix, name, words, 17)
    return f"{prefix}-{_grouped(letters[:-1], 4)}-{letters[-1]}"


def format_deactivation_code(secret: bytes) -> str:
    """Return the 28 characters, in 7 groups of 4, that reveal the 16 bytes of a deactivation secret."""
    if len(secret) != SECRET_BYTES:
        raise ValueError("a deactivation secret has 16 bytes")
    data = base32.encode(secret)
    return _grouped(data + base32.check_characters("DEACTIVATION", data, 2), 4)


def parse_deactivation_code(text: str) -> bytes:
    """Return the 16 secret bytes. Raises CodeError: "deactivation-code-length", "deactivation-code-typo"."""
    letters = _checked(text, "DEACTIVATION", "deactivation-code", "deactivation code", 28)
    return _decoded(letters[:-2], SECRET_BYTES, "deactivation-code", "deactivation code")


def commitment(thumbprint: bytes, secret: bytes) -> bytes:
    """Return the 32 bytes by which a request commits to its deactivation secret (Design 9.14)."""
    return hashlib.sha256(b"chariot-deactivate-1" + thumbprint + secret).digest()


def find_codes(text: str) -> FoundCodes:
    """Find every License ID, License Key and deactivation code in a whole pasted email. Never raises.

    Quote marks, line wrapping, any separators between the groups, lower case, I/L/O and leftovers of HTML or
    quoted-printable are tolerated. Keys and deactivation codes are only found in whole groups, as portal and
    Chariot write them: a looser search would read prose as a code.
    """
    found: dict[str, dict[str, None]] = {"LIC": {}, "KEY": {}, "DEACTIVATION": {}}
    problems: dict[str, CodeError] = {}
    for version in dict.fromkeys((text, html.unescape(_ENDLESS.sub(" ", _MARKUP.sub(_without_markup, text))))):
        tokens = _tokens(version)
        for start, token in enumerate(tokens):
            for kind, letters in _candidates(tokens, start, token):
                try:
                    found[kind][_canonical(kind, letters)] = None
                except CodeError as error:
                    if kind == "LIC" and _MISTYPED_ID.fullmatch(letters):
                        problems[letters] = error
    return FoundCodes(tuple(found["LIC"]), tuple(found["KEY"]), tuple(found["DEACTIVATION"]), tuple(problems.values()))


def _tokens(text: str) -> list[str]:
    """Split into runs of ASCII letters and digits, upper case; "" stands for a gap that no code spans."""
    plain = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf").upper()
    tokens: list[str] = []
    end = 0
    for run in _CODE_TOKEN.finditer(plain):
        gap = plain[end : run.start()]
        if len(gap) > _LONGEST_GAP or any(c.isalnum() for c in gap):
            tokens.append("")
        tokens.append(run[0])
        end = run.end()
    return tokens


def _candidates(tokens: list[str], start: int, token: str) -> Iterator[tuple[str, str]]:
    """Yield (kind, letters) for what may be a code beginning with this token."""
    if token.startswith(KEY_MARK):
        yield from _whole_groups("KEY", tokens, start, 42, 6)
    yield from _whole_groups("DEACTIVATION", tokens, start, 28, 4)
    if token in _LICENSE_MARKS:
        groups: list[str] = []
        for group in tokens[start + 1 : start + 7]:
            length = sum(map(len, groups))
            if not group or length >= 17 or length + len(group) > 20:
                break
            groups.append(group)
        if sum(map(len, groups)) >= 14:
            yield "LIC", "-".join(groups)
    elif len(token) == 20 and token[:3] in _LICENSE_MARKS:
        yield "LIC", token


def _whole_groups(kind: str, tokens: list[str], start: int, length: int, size: int) -> Iterator[tuple[str, str]]:
    letters = ""
    for token in tokens[start : start + length // size]:
        if not token or len(token) % size:
            return
        letters += token
        if len(letters) >= length:
            break
    # Seven words of four letters in a row are prose; hardly one code in 30,000 has no digit.
    if len(letters) == length and any(c.isdigit() for c in letters):
        yield kind, letters


def _canonical(kind: str, letters: str) -> str:
    if kind == "LIC":
        return parse_public_id("LIC", letters)
    if kind == "KEY":
        return LicenseKey.parse(letters).text
    return format_deactivation_code(parse_deactivation_code(letters))


def _without_markup(match: re.Match[str]) -> str:
    # A soft line break of quoted-printable joins what stands around it; a tag separates.
    return "" if match[0].startswith("=") else " "


def _checked(text: str, label: str, name: str, words: str, length: int) -> str:
    """Return the normalised letters once length, alphabet and check characters are right."""
    letters = base32.normalise(text)
    if len(letters) != length:
        raise CodeError(
            f"{name}-length",
            f"The {words} has {len(letters)} characters where there should be {length}."
            " Copy all of it again, or compare it with the original.",
            found=len(letters),
            expected=length,
        )
    base32.require_alphabet(letters, f"{name}-typo", words)
    count = 1 if length == 17 else 2
    if base32.check_characters(label, letters[:-count], count) != letters[-count:]:
        raise CodeError(
            f"{name}-typo",
            f"The {words} has a typing mistake: its check characters do not fit."
            " Compare it with the original, group by group.",
        )
    return letters


def _decoded(letters: str, length: int, name: str, words: str) -> bytes:
    try:
        return base32.decode(letters, length)
    except CodeError as error:
        raise CodeError(
            f"{name}-typo", f"The {words} cannot be right. Compare it with the original, group by group."
        ) from error


def _grouped(letters: str, size: int) -> str:
    return "-".join(letters[i : i + size] for i in range(0, len(letters), size))


def _derived(source: bytes, label: str, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=label.encode()).derive(source)
