"""COSE_Sign1 as this protocol uses it: one algorithm, one header layout, everything else refused by name.

Design 9.11 and 9.12: RFC 9052 tag 18, protected header exactly {1: -8, 16: typ} or with 33: certificate, empty
unprotected header. The structure is checked before `cwt` sees the bytes.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cwt import COSE, COSEKey

from chariot_license.protocol import cbor
from chariot_license.protocol.errors import ProtocolError

ALG, CRIT, TYP, X5CHAIN = 1, 2, 16, 33
EDDSA = -8
_P = 2**255 - 19
# The y coordinates of the eight points of low order on edwards25519 (its cofactor is 8, RFC 8032): a signature under
# such a key says nothing about who made it.
_Y8 = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
_LOW_ORDER = {0, 1, _P - 1, _Y8, _P - _Y8}


@dataclass(frozen=True)
class Format:
    """One kind of signed message: how it is named, what its header says, which errors it raises."""

    name: str
    words: str
    typ_name: str
    version: int
    limit: int
    has_certificate: bool
    error: type[ProtocolError]

    @property
    def typ(self) -> str:
        return f"{self.typ_name}/{self.version}"

    def problem(self, reason: str, message: str, **detail: object) -> ProtocolError:
        """Return the error `<name>-<reason>`."""
        return self.error(f"{self.name}-{reason}", message, **detail)


@dataclass(frozen=True)
class Opened:
    """A message whose form is right; nothing about its signature is known yet."""

    data: bytes
    claims: dict[object, Any]
    certificate: bytes | None


def sign(
    payload_claims: Mapping[int, object], typ: str, private_key: Ed25519PrivateKey, x5chain: bytes | None
) -> bytes:
    """Return the tagged COSE_Sign1 over the deterministic CBOR of the claims."""
    header: dict[int, object] = {TYP: typ}
    if x5chain is not None:
        header[X5CHAIN] = x5chain
    public, seed = private_key.public_key().public_bytes_raw(), private_key.private_bytes_raw()
    key = COSEKey.new({1: 1, -1: 6, -2: public, -4: seed, 3: EDDSA})
    signer = COSE.new(alg_auto_inclusion=True, deterministic_header=True)
    return bytes(signer.encode_and_sign(cbor.dumps(dict(payload_claims)), key, header, {}))


def open_unverified(data: bytes, form: Format) -> Opened:
    """Check everything about the bytes that needs no key. Raises the format's error.

    Codes, after "request-", "license-" or "statement-": "too-large", "truncated", "trailing-bytes", "malformed",
    "duplicate-key", "not-deterministic", "not-sign1", "alg-missing", "alg-unprotected", "alg-unsupported",
    "crit-unsupported", "header-unknown", "unprotected-header", "typ-missing", "wrong-type",
    "version-unsupported", "certificate-missing", "certificate-count".
    """
    if len(data) > form.limit:
        raise form.problem(
            "too-large",
            f"This is {len(data)} bytes long; no {form.words} is longer than {form.limit}."
            f" Make sure that only the {form.words} was pasted or uploaded.",
            size=len(data),
            limit=form.limit,
        )
    value = _decoded(data, form, tag=18)
    if not (isinstance(value, list) and len(value) == 4):
        raise _not_sign1(form)
    protected, unprotected, payload, signature = value
    if not (isinstance(protected, bytes) and isinstance(unprotected, dict)):
        raise _not_sign1(form)
    if not (isinstance(payload, bytes) and isinstance(signature, bytes) and len(signature) == 64):
        raise _not_sign1(form)
    header = _decoded(protected, form) if protected else {}
    if not isinstance(header, dict):
        raise _not_sign1(form)
    _check_header(header, unprotected, form)
    claims = _decoded(payload, form)
    if not isinstance(claims, dict):
        raise _not_sign1(form)
    return Opened(data, claims, header.get(X5CHAIN))


def verify(opened: Opened, public_key: bytes, form: Format) -> None:
    """Check the signature with the raw Ed25519 key. Raises "<name>-weak-key", "<name>-signature-wrong"."""
    if not is_sound_key(public_key):
        raise form.problem(
            "weak-key",
            f"The key of this {form.words} is one that no real installation has. Do not accept it;"
            " ask where it came from.",
        )
    try:
        COSE.new().decode(opened.data, COSEKey.new({**cose_key(public_key), 3: EDDSA}))
    except Exception as error:
        # `cwt` raises several types of its own and of cryptography; all mean that the signature does not hold.
        raise form.problem(
            "signature-wrong",
            f"The signature of this {form.words} does not fit: it was changed on the way, or somebody else made"
            " it. Ask for it to be sent again; if that fails, for a new one.",
        ) from error


def cose_key(public_key: bytes) -> dict[int, object]:
    """Return the COSE_Key map of a raw Ed25519 public key, exactly as `cnf` carries it."""
    return {1: 1, -1: 6, -2: public_key}


def thumbprint(public_key: bytes) -> bytes:
    """Return the 32-byte COSE Key Thumbprint with SHA-256 (RFC 9679) of a raw Ed25519 public key."""
    return hashlib.sha256(cbor.dumps(cose_key(public_key))).digest()


def is_sound_key(public_key: bytes) -> bool:
    """Say whether this is a canonical encoding of 32 bytes and none of the low-order points."""
    if len(public_key) != 32:
        return False
    y = int.from_bytes(public_key, "little") & (2**255 - 1)
    return y < _P and y not in _LOW_ORDER


def _check_header(header: dict[object, Any], unprotected: dict[object, Any], form: Format) -> None:
    if ALG not in header:
        if ALG in unprotected:
            raise form.problem("alg-unprotected", _tampered(form, "its algorithm stands outside the signature"))
        raise form.problem("alg-missing", _tampered(form, "it does not say which algorithm signed it"))
    if type(header[ALG]) is not int or header[ALG] != EDDSA:
        raise form.problem("alg-unsupported", _tampered(form, "it is not signed with Ed25519"))
    if unprotected:
        raise form.problem("unprotected-header", _tampered(form, "it carries fields outside the signature"))
    if CRIT in header:
        raise form.problem("crit-unsupported", _tampered(form, "it demands an extension nobody here knows"))
    _check_typ(header.get(TYP), form)
    allowed = {ALG, TYP, X5CHAIN} if form.has_certificate else {ALG, TYP}
    if extra := [key for key in header if key not in allowed or type(key) is not int]:
        raise form.problem("header-unknown", _tampered(form, "its header has unknown fields"), labels=_shown(extra))
    if form.has_certificate:
        _check_chain(header, form)


_KINDS = {"cl-req": "a Usage Request", "cl-lic": "a Usage License", "cl-sta": "a license statement"}


def _check_typ(typ: object, form: Format) -> None:
    if typ is None:
        raise form.problem("typ-missing", _tampered(form, "it does not say what it is"))
    name, _, version = typ.partition("/") if isinstance(typ, str) else ("", "", "")
    plain = version.isascii() and version.isdigit() and not version.startswith("0") and len(version) <= 9
    if name != form.typ_name or not plain:
        other = _KINDS.get(name, "something else")
        raise form.problem(
            "wrong-type", f"This is {other}, not a {form.words}. Use the {form.words}.", typ=str(typ)[:40]
        )
    if int(version) != form.version:
        raise form.problem(
            "version-unsupported",
            f"This {form.words} has format version {version}; this software reads version {form.version}."
            " Update the software that reads it.",
            version=int(version),
            supported=form.version,
        )


def _check_chain(header: dict[object, Any], form: Format) -> None:
    if X5CHAIN not in header:
        raise form.problem("certificate-missing", _tampered(form, "it carries no signing certificate"))
    if not isinstance(header[X5CHAIN], bytes):
        raise form.problem("certificate-count", _tampered(form, "it must carry exactly one signing certificate"))


_READING_PROBLEMS = {
    "truncated": "the end is missing. Copy or send all of it again",
    "trailing-bytes": "something follows after its end. Copy or send it again, without additions",
    "malformed": "these bytes are not what Chariot or the portal write. Copy or send it again",
    "duplicate-key": "a field occurs twice in it, which neither Chariot nor the portal write. Ask for a new one",
    "not-deterministic": "it is not encoded the way Chariot and the portal do it. Ask for a new one",
}


def _decoded(data: bytes, form: Format, tag: int | None = None) -> Any:
    try:
        return cbor.loads(data, tag)
    except cbor.CborProblem as error:
        if error.reason == "wrong-tag":
            raise _not_sign1(form) from error
        raise form.problem(
            error.reason, f"This {form.words} cannot be read: {_READING_PROBLEMS[error.reason]}.", offset=error.offset
        ) from error


def _not_sign1(form: Format) -> ProtocolError:
    return form.problem(
        "not-sign1", f"This is not a {form.words}: it is not a signed message. Copy or send the {form.words} again."
    )


def _tampered(form: Format, what: str) -> str:
    return f"This {form.words} is not accepted: {what}. Ask for a new one, made by Chariot or the portal."


def _shown(keys: list[object]) -> list[str]:
    return [repr(key)[:40] for key in keys[:8]]
