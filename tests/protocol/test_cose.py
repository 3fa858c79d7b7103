"""Strict COSE_Sign1: form, deterministic CBOR and keys, checked before any signature."""

from __future__ import annotations

import hashlib

import cbor2
import pytest
from chariot_license.protocol import cbor, cose
from chariot_license.protocol.request import FORM
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.samples import INSTANCE_KEY, private_key, public

P = 2**255 - 19


def problem(data: bytes, tag: int | None = None) -> str:
    with pytest.raises(cbor.CborProblem) as caught:
        cbor.loads(data, tag)
    return caught.value.reason


@pytest.mark.parametrize(
    ("hexes", "reason"),
    [
        ("", "truncated"),
        ("18", "truncated"),
        ("19 01", "truncated"),
        ("42 00", "truncated"),
        ("5b ffffffffffffffff", "truncated"),
        ("9b ffffffffffffffff", "truncated"),
        ("bb ffffffffffffffff", "truncated"),
        ("82 00", "truncated"),
        ("a1 00", "truncated"),
        ("00 00", "trailing-bytes"),
        ("a0 f6", "trailing-bytes"),
        ("1c", "malformed"),
        ("ff", "malformed"),
        ("1f", "malformed"),
        ("61 ff", "malformed"),
        ("c2 41 01", "malformed"),
        ("d8 1c 80", "malformed"),
        ("f7", "malformed"),
        ("f8 14", "malformed"),
        ("e0", "malformed"),
        ("f9 3c00", "malformed"),
        ("fb 3ff0000000000000", "malformed"),
        ("81818181818181" + "00", "malformed"),
        ("18 17", "not-deterministic"),
        ("19 00ff", "not-deterministic"),
        ("1b 00000000ffffffff", "not-deterministic"),
        ("38 00", "not-deterministic"),
        ("58 01 00", "not-deterministic"),
        ("78 00", "not-deterministic"),
        ("98 00", "not-deterministic"),
        ("b8 00", "not-deterministic"),
        ("5f 41 00 ff", "not-deterministic"),
        ("7f ff", "not-deterministic"),
        ("9f ff", "not-deterministic"),
        ("bf ff", "not-deterministic"),
        ("a2 02 00 01 00", "not-deterministic"),
        ("a2 20 00 01 00", "not-deterministic"),
        ("a2 01 00 01 00", "duplicate-key"),
        ("81 a2 01 00 01 01", "duplicate-key"),
        ("a3 02 00 01 00 02 00", "duplicate-key"),
    ],
)
def test_what_is_not_deterministic_cbor_is_named(hexes: str, reason: str) -> None:
    assert problem(bytes.fromhex(hexes)) == reason


@pytest.mark.parametrize("hexes", ["d1 00", "c2 00", "00", "d8 12 00", "d9 0012 00"])
def test_the_tag_must_be_the_one_asked_for(hexes: str) -> None:
    assert problem(bytes.fromhex(hexes), 18) in ("wrong-tag", "not-deterministic")


KEYS = st.integers(0, 23) | st.integers(-24, -1)
FLAT = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.binary(max_size=40) | st.text(max_size=20)
NESTED = FLAT | st.lists(FLAT, max_size=4) | st.dictionaries(KEYS, FLAT, max_size=4)


@given(st.lists(NESTED, max_size=4) | st.dictionaries(KEYS, NESTED, max_size=30))
def test_what_is_written_is_read_back(value: object) -> None:
    assert cbor.loads(cbor.dumps(value)) == value


@given(st.dictionaries(KEYS, st.integers(0, 5), max_size=23))
def test_the_key_order_is_that_of_rfc_8949(claims: dict[int, int]) -> None:
    """Bytewise order of the encoded keys (RFC 8949 4.2.1), which for our keys is also the order of RFC 7049."""
    data = cbor.dumps(claims)
    pairs = sorted((cbor2.dumps(key), cbor2.dumps(value)) for key, value in claims.items())
    assert data == bytes([0xA0 | len(claims)]) + b"".join(k + v for k, v in pairs)


@given(st.binary(max_size=120))
def test_no_bytes_raise_anything_but_a_cbor_problem(data: bytes) -> None:
    try:
        value = cbor.loads(data)
    except cbor.CborProblem:
        return
    assert cbor.dumps(value) == data


def test_the_bytes_that_are_signed_are_those_of_rfc_9052() -> None:
    data = cose.sign({6: 1}, "cl-req/1", INSTANCE_KEY, None)
    header = bytes.fromhex("a2 01 27 10 68") + b"cl-req/1"
    to_be_signed = b"\x84\x6aSignature1" + bytes([0x40 | len(header)]) + header + b"\x40" + b"\x43\xa1\x06\x01"
    signature = INSTANCE_KEY.sign(to_be_signed)
    assert data == b"\xd2\x84\x4d" + header + b"\xa0\x43\xa1\x06\x01\x58\x40" + signature


def test_a_certificate_goes_into_the_protected_header() -> None:
    data = cose.sign({6: 1}, "cl-lic/1", INSTANCE_KEY, b"der")
    assert cbor2.loads(cbor2.loads(data).value[0]) == {1: -8, 16: "cl-lic/1", 33: b"der"}


def test_the_thumbprint_is_that_of_rfc_9679() -> None:
    raw = public(INSTANCE_KEY)
    assert cose.thumbprint(raw) == hashlib.sha256(bytes.fromhex("a3 01 01 20 06 21 58 20") + raw).digest()


def _double(point: tuple[int, int]) -> tuple[int, int]:
    """Twisted Edwards doubling in affine coordinates, RFC 8032 5.1.4 with P = Q."""
    x, y = point
    d = -121665 * pow(121666, -1, P) % P
    k = d * x * x * y * y % P
    return 2 * x * y * pow(1 + k, -1, P) % P, (y * y + x * x) * pow(1 - k, -1, P) % P


def _points(y: int) -> list[tuple[int, int]]:
    d = -121665 * pow(121666, -1, P) % P
    square = (y * y - 1) * pow(d * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    return [(x, y), (-x % P, y)] if x * x % P == square else []


def test_the_low_order_points_are_exactly_those_that_vanish_when_doubled_three_times() -> None:
    low = {point for y in cose._LOW_ORDER for point in _points(y)}
    assert len(low) == 8
    for point in low:
        assert _double(_double(_double(point))) == (0, 1)


WEAK = [
    *((y | sign << 255).to_bytes(32, "little") for y in sorted(cose._LOW_ORDER) for sign in (0, 1)),
    *((y | sign << 255).to_bytes(32, "little") for y in (P, P + 1, 2**255 - 1) for sign in (0, 1)),
    b"\x01" * 31,
    b"",
]


@pytest.mark.parametrize("raw", WEAK, ids=lambda raw: raw.hex()[:8] + raw.hex()[-4:])
def test_weak_keys_are_not_sound(raw: bytes) -> None:
    assert not cose.is_sound_key(raw)


def test_a_library_alone_would_accept_a_weak_key() -> None:
    """The negative control: under the neutral element one signature fits every message."""
    weak = Ed25519PublicKey.from_public_bytes(b"\x01" + bytes(31))
    weak.verify(b"\x01" + bytes(63), b"any message at all")
    with pytest.raises(InvalidSignature):
        INSTANCE_KEY.public_key().verify(b"\x01" + bytes(63), b"any message at all")


@given(st.integers(0, 10_000))
def test_real_keys_are_sound(number: int) -> None:
    assert cose.is_sound_key(public(private_key(str(number))))


def test_a_form_names_its_errors() -> None:
    error = FORM.problem("truncated", "The end is missing.", size=3)
    assert (error.code, str(error), error.message, error.detail) == (
        "request-truncated",
        "The end is missing.",
        "The end is missing.",
        {"size": 3},
    )
