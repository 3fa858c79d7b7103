"""The codes people handle: public ids, License Key, deactivation code. See docs/protocol.md, "Codes"."""

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chariot_license.protocol import base32
from chariot_license.protocol.clean import MAX_SOURCE, folded, views_of
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
# Candidates of each kind that `find_codes` looks at in one text: more of them are no mail, and one in a thousand of
# those that are none passes its check.
MAX_CANDIDATES = 3000

# Each may begin wherever a word does; the words are those of `_words`.
_LICENSE_ID = re.compile(r" (?=[LI1][LI1]C(?:([0-9A-Z]{17})|((?: [0-9A-Z]{1,20}){1,6}))(?![^ ]))")
_LICENSE_KEY = re.compile(r" (?=(K[0-9A-Z]{5}(?: ?[0-9A-Z]{6}){6})(?![^ ]))")
_DEACTIVATION_CODE = re.compile(r" (?=([0-9A-Z]{4}(?: ?[0-9A-Z]{4}){6})(?![^ ]))")
# Prose after the word LIC has longer words and no digits. One digit is enough where the groups are those of an ID.
_MISTYPED_ID = re.compile(
    r"(?=(?:[^0-9]*[0-9]){2})(?:[0-9A-Z]{14,20}|[0-9A-Z]{1,5}(?:-[0-9A-Z]{1,5}){3,})"
    r"|(?=[^0-9]*[0-9])[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}-[0-9A-Z]"
)
_ASCII = {code: chr(code).upper() if chr(code).isalnum() else " " for code in range(127)}
# No code goes on behind a longer gap, or behind a letter or digit that is in no code.
_LONG_GAP = re.compile(" {25,}")
_FOREIGN = "\x7f"


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
    a typo and not as "nothing found"; and, as "codes-not-all-read", that not all of the text was searched.
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
    letters = _letters(text, name, words, 17)
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

    Reads the first MAX_SOURCE characters, and looks at the first MAX_CANDIDATES places of each kind that look like
    a code; `problems` says if there was more.
    """
    found: dict[str, dict[str, None]] = {"LIC": {}, "KEY": {}, "DEACTIVATION": {}}
    problems: dict[str, CodeError] = {}
    looked_at = dict.fromkeys(found, 0)
    seen: set[tuple[str, str]] = set()
    for view in views_of(text[:MAX_SOURCE]):
        words = _words(view)
        for kind, codes in found.items():
            left = MAX_CANDIDATES + 1 - looked_at[kind]
            for letters in islice(_candidates(kind, words), left):
                looked_at[kind] += 1
                if looked_at[kind] > MAX_CANDIDATES or (kind, letters) in seen:
                    continue
                seen.add((kind, letters))
                try:
                    codes[_canonical(kind, letters)] = None
                except CodeError as error:
                    if kind == "LIC" and _MISTYPED_ID.fullmatch(letters):
                        problems[letters] = error
    if len(text) > MAX_SOURCE or max(looked_at.values()) > MAX_CANDIDATES:
        problems[""] = CodeError(
            "codes-not-all-read",
            "This text is too large, or has too much in it that looks like a code, to search all of it for codes."
            " Paste only the part with the code.",
            length=len(text),
            limit=MAX_SOURCE,
        )
    return FoundCodes(tuple(found["LIC"]), tuple(found["KEY"]), tuple(found["DEACTIVATION"]), tuple(problems.values()))


def _words(text: str) -> str:
    """Return the runs of ASCII letters and digits, upper case, a space before each; a DEL where no code goes on."""
    plain = _LONG_GAP.sub(_FOREIGN, folded(text, _plain).translate(_ASCII)).replace(_FOREIGN, f" {_FOREIGN} ")
    return " " + " ".join(plain.split())


def _plain(letter: str) -> str:
    """Return what one character outside ASCII is in a code: letters, nothing, a space, or a letter of no code."""
    if letter == _FOREIGN:
        return " "
    if unicodedata.category(letter) == "Cf":
        return ""
    form = base32.read_as(letter).translate(_ASCII)
    return form if form.isascii() else _FOREIGN if any(map(str.isalnum, form)) else " "


def _candidates(kind: str, words: str) -> Iterator[str]:
    """Yield the letters of what may be a code of this kind, groups of a License ID joined by "-"."""
    if kind == "LIC":
        for match in _LICENSE_ID.finditer(words):
            letters = match[1] or _license_id_groups(match[2].split())
            if letters:
                yield letters
        return
    for match in (_LICENSE_KEY if kind == "KEY" else _DEACTIVATION_CODE).finditer(words):
        # Seven words of four letters in a row are prose; hardly one code in 30,000 has no digit.
        if any(map(str.isdigit, match[1])):
            yield match[1].replace(" ", "")


def _license_id_groups(words: list[str]) -> str:
    """Return the words behind the mark of a License ID that are its groups; "" if they are too few."""
    length = count = 0
    for word in words:
        if length >= 17 or length + len(word) > 20:
            break
        length += len(word)
        count += 1
    return "-".join(words[:count]) if length >= 14 else ""


def _canonical(kind: str, letters: str) -> str:
    if kind == "LIC":
        return parse_public_id("LIC", letters)
    if kind == "KEY":
        return LicenseKey.parse(letters).text
    return format_deactivation_code(parse_deactivation_code(letters))


def _letters(text: str, name: str, words: str, length: int) -> str:
    """Return the normalised letters of what was typed for one code, whatever their number up to MAX_TYPED."""
    if len(text) > base32.MAX_TYPED:
        raise _wrong_length(len(text), name, words, length)
    return base32.normalise(text)


def _wrong_length(found: int, name: str, words: str, length: int) -> CodeError:
    return CodeError(
        f"{name}-length",
        f"The {words} has {found} characters where there should be {length}."
        " Copy all of it again, or compare it with the original.",
        found=found,
        expected=length,
    )


def _checked(text: str, label: str, name: str, words: str, length: int) -> str:
    """Return the normalised letters once length, alphabet and check characters are right."""
    letters = _letters(text, name, words, length)
    if len(letters) != length:
        raise _wrong_length(len(letters), name, words, length)
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
