"""Usage Requests: what is signed comes back, and every way one can be wrong has its own error."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from chariot_license.protocol import claims as c
from chariot_license.protocol.codes import LicenseKey
from chariot_license.protocol.errors import ProtocolError, RequestError
from chariot_license.protocol.fingerprint import Fingerprint
from chariot_license.protocol.request import (
    CONTAINERS,
    MAX_BYTES,
    VIRTUALS,
    UsageRequest,
    fit_hostname,
    proof_holds,
    read_request,
    request_proof,
    sign_request,
    thumbprint,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocol.samples import (
    INSTANCE_KEY,
    LICENSE_KEY,
    certificate,
    forge,
    largest_request,
    parts,
    private_key,
    public,
    usage_request,
)

GOOD = sign_request(usage_request(), INSTANCE_KEY)
HEADER, CLAIMS = parts(GOOD)
OTHER_KEY = private_key("another instance")


def test_what_is_signed_comes_back() -> None:
    for request in (usage_request(), largest_request()):
        assert read_request(sign_request(request, INSTANCE_KEY)) == request


def test_the_largest_request_fits_sixteen_lines() -> None:
    largest = largest_request()
    assert len(largest.fingerprint.components["mac"]) == 2
    assert len(largest.fingerprint.components) == 5
    assert len(largest.product) + len(largest.version) == 30
    assert len(sign_request(largest, INSTANCE_KEY)) == MAX_BYTES == 366


def test_signing_is_deterministic() -> None:
    assert sign_request(usage_request(), INSTANCE_KEY) == GOOD


def test_the_proof_binds_key_instance_and_request() -> None:
    request = read_request(GOOD)
    assert request.thumbprint == thumbprint(public(INSTANCE_KEY))
    assert proof_holds(request, LICENSE_KEY.proof_key)
    assert not proof_holds(request, LicenseKey(LICENSE_KEY.seed, bytes(16)).proof_key)
    assert not proof_holds(usage_request(request_id=bytes(16)), LICENSE_KEY.proof_key)
    assert not proof_holds(usage_request(instance_key=public(OTHER_KEY)), LICENSE_KEY.proof_key)
    assert len(request_proof(LICENSE_KEY, request.thumbprint, request.request_id)) == 16


def test_only_the_instance_itself_can_sign() -> None:
    with pytest.raises(ValueError, match="private key"):
        sign_request(usage_request(), OTHER_KEY)


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        ({"hostname": "h" * 24}, "hostname"),
        ({"hostname": "wasserwerk-süd"}, "hostname"),
        ({"hostname": "two\nlines"}, "hostname"),
        ({"version": "10.12.202611"}, "version"),
        ({"version": ""}, "version"),
        ({"product": "p" * 31}, "product"),
        ({"counter": -1}, "counter"),
        ({"counter": 2**32}, "counter"),
        ({"issued_at": 2**32}, "iat"),
        ({"issued_at": -5}, "iat"),
        ({"request_id": bytes(15)}, "cti"),
        ({"lookup_id": bytes(9)}, "lookup id"),
        ({"proof": bytes(17)}, "proof"),
        ({"previous": bytes(15)}, "previous"),
        ({"commitment": bytes(16)}, "commitment"),
    ],
)
def test_nothing_is_signed_that_nobody_would_accept(changes: dict[str, Any], claim: str) -> None:
    with pytest.raises(RequestError) as caught:
        sign_request(usage_request(**changes), INSTANCE_KEY)
    assert caught.value.code == "request-claim-invalid"
    assert caught.value.detail == {"claim": claim}


def test_unknown_hints_still_say_container_and_virtual_machine() -> None:
    read = read_request(sign_request(usage_request(container="brand-new", virtual="also-new"), INSTANCE_KEY))
    assert (read.container, read.virtual) == ("container", "vm")


def test_every_known_hint_comes_back() -> None:
    for container in CONTAINERS:
        assert read_request(sign_request(usage_request(container=container), INSTANCE_KEY)).container == container
    for virtual in VIRTUALS:
        assert read_request(sign_request(usage_request(virtual=virtual), INSTANCE_KEY)).virtual == virtual


def test_a_hint_from_a_later_client_is_not_lost() -> None:
    assert read_request(forge(HEADER, CLAIMS | {c.CONTAINER: 23}, INSTANCE_KEY)).container == "container"


@pytest.mark.parametrize(
    ("label", "fitted"),
    [
        ("mqtt-01", "mqtt-01"),
        ("h" * 23, "h" * 23),
        ("h" * 24, "h" * 22 + "~"),
        (" süd\t", "s?d"),
        ("a\u2028b", "a?b"),
        ("", ""),
    ],
)
def test_hostname_labels_are_fitted_visibly(label: str, fitted: str) -> None:
    assert fit_hostname(label) == fitted


@given(st.text(max_size=60))
def test_every_fitted_label_is_accepted(label: str) -> None:
    read = read_request(sign_request(usage_request(hostname=fit_hostname(label)), INSTANCE_KEY))
    assert read.hostname == fit_hostname(label)


def message(header: dict[Any, Any] | bytes | None = None, payload: Any = None, **more: Any) -> Callable[[], bytes]:
    return lambda: forge(
        HEADER if header is None else header, CLAIMS if payload is None else payload, INSTANCE_KEY, **more
    )


def without(mapping: dict[Any, Any], key: Any) -> dict[Any, Any]:
    return {k: v for k, v in mapping.items() if k != key}


def swapped_payload() -> bytes:
    mine, other = cbor2.loads(GOOD).value, cbor2.loads(sign_request(usage_request(counter=2), INSTANCE_KEY)).value
    return cbor2.dumps(cbor2.CBORTag(18, [mine[0], mine[1], other[2], mine[3]]))


def swapped_header() -> bytes:
    """Somebody else's header over this payload: a signature never fits another kind."""
    mine = cbor2.loads(forge(HEADER | {16: "cl-lic/1"}, CLAIMS, INSTANCE_KEY)).value
    return cbor2.dumps(cbor2.CBORTag(18, [cbor2.loads(GOOD).value[0], {}, mine[2], mine[3]]))


def raw(mapping: dict[Any, Any], extra: bytes, count: int = 1) -> bytes:
    """The encoding of a map with `extra` entries in front: for duplicates and for wrong order."""
    body = cbor2.dumps(mapping, canonical=True)
    head = 1 if len(mapping) < 24 else 2
    return bytes([0xA0 | len(mapping) + count]) + extra + body[head:]


def long_form() -> bytes:
    """The issue time as eight bytes where four would do."""
    body = cbor2.dumps(CLAIMS, canonical=True)
    short = b"\x06" + cbor2.dumps(CLAIMS[c.IAT])
    return body.replace(short, b"\x06\x1b" + CLAIMS[c.IAT].to_bytes(8, "big"), 1)


def unprotected_alg() -> bytes:
    return forge(without(HEADER, 1), CLAIMS, INSTANCE_KEY, unprotected={1: -8})


def cnf(key: Any) -> Callable[[], bytes]:
    return message(payload=CLAIMS | {c.CNF: key})


COSE_KEY = {1: 1, -1: 6, -2: public(INSTANCE_KEY)}

CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "request-truncated"),
    "last byte missing": (lambda: GOOD[:-1], "request-truncated"),
    "half missing": (lambda: GOOD[:150], "request-truncated"),
    "trailing byte": (lambda: GOOD + b"\0", "request-trailing-bytes"),
    "trailing bytes in the header": (message(cbor2.dumps(HEADER, canonical=True) + b"\0"), "request-trailing-bytes"),
    "trailing bytes in the payload": (
        message(payload=cbor2.dumps(CLAIMS, canonical=True) + b"\0"),
        "request-trailing-bytes",
    ),
    "1 MB of junk": (lambda: os.urandom(1_000_000), "request-too-large"),
    "1 MB of zeros": (lambda: bytes(1_000_000), "request-too-large"),
    "one byte too many": (lambda: bytes(367), "request-too-large"),
    "text": (lambda: b"Usage Request", "request-not-sign1"),
    "untagged": (message(tag=None), "request-not-sign1"),
    "MAC0": (message(tag=17), "request-not-sign1"),
    "COSE_Sign": (message(tag=98), "request-not-sign1"),
    "not an array": (lambda: cbor2.dumps(cbor2.CBORTag(18, {})), "request-not-sign1"),
    "three parts": (lambda: cbor2.dumps(cbor2.CBORTag(18, cbor2.loads(GOOD).value[:3])), "request-not-sign1"),
    "detached payload": (
        lambda: cbor2.dumps(cbor2.CBORTag(18, [cbor2.loads(GOOD).value[0], {}, None, bytes(64)])),
        "request-not-sign1",
    ),
    "header not in bytes": (
        lambda: cbor2.dumps(cbor2.CBORTag(18, [HEADER, *cbor2.loads(GOOD).value[1:]]), canonical=True),
        "request-not-sign1",
    ),
    "unprotected no map": (
        lambda: cbor2.dumps(cbor2.CBORTag(18, [cbor2.loads(GOOD).value[0], [], *cbor2.loads(GOOD).value[2:]])),
        "request-not-sign1",
    ),
    "short signature": (
        lambda: cbor2.dumps(cbor2.CBORTag(18, [*cbor2.loads(GOOD).value[:3], bytes(63)])),
        "request-not-sign1",
    ),
    "header is a list": (message(b"\x80"), "request-not-sign1"),
    "payload is a list": (message(payload=[1]), "request-not-sign1"),
    "header empty": (message(b""), "request-alg-missing"),
    "header empty map": (message({}), "request-alg-missing"),
    "alg missing": (message(without(HEADER, 1)), "request-alg-missing"),
    "alg unprotected": (unprotected_alg, "request-alg-unprotected"),
    "alg ES256": (message(HEADER | {1: -7}), "request-alg-unsupported"),
    "alg Ed25519 (RFC 9864)": (message(HEADER | {1: -19}), "request-alg-unsupported"),
    "alg HMAC": (message(HEADER | {1: 5}), "request-alg-unsupported"),
    "alg as text": (message(HEADER | {1: "EdDSA"}), "request-alg-unsupported"),
    "alg null": (message(HEADER | {1: None}), "request-alg-unsupported"),
    "alg twice, once unprotected": (message(unprotected={1: -8}), "request-unprotected-header"),
    "kid unprotected": (message(unprotected={4: b"kid"}), "request-unprotected-header"),
    "crit unknown": (message(HEADER | {2: [-70000], -70000: 1}), "request-crit-unsupported"),
    "crit known": (message(HEADER | {2: [1]}), "request-crit-unsupported"),
    "crit empty": (message(HEADER | {2: []}), "request-crit-unsupported"),
    "kid": (message(HEADER | {4: b"kid"}), "request-header-unknown"),
    "a certificate": (message(HEADER | {33: b"certificate"}), "request-header-unknown"),
    "header label as text": (message(HEADER | {"x": 1}), "request-header-unknown"),
    "header label true": (message({1: -8, 16: "cl-req/1", False: 1}), "request-header-unknown"),
    "typ missing": (message(without(HEADER, 16)), "request-typ-missing"),
    "typ of a license": (message(HEADER | {16: "cl-lic/1"}), "request-wrong-type"),
    "typ of somebody else": (message(HEADER | {16: "application/cwt"}), "request-wrong-type"),
    "typ as number": (message(HEADER | {16: 61}), "request-wrong-type"),
    "typ without version": (message(HEADER | {16: "cl-req"}), "request-wrong-type"),
    "typ with strange version": (message(HEADER | {16: "cl-req/01"}), "request-wrong-type"),
    "typ with fullwidth version": (message(HEADER | {16: "cl-req/\uff11"}), "request-wrong-type"),
    "typ in capitals": (message(HEADER | {16: "CL-REQ/1"}), "request-wrong-type"),
    "future version": (message(HEADER | {16: "cl-req/2"}), "request-version-unsupported"),
    "far future version": (message(HEADER | {16: "cl-req/137"}), "request-version-unsupported"),
    "duplicate key in the header": (message(raw(HEADER, b"\x01\x27")), "request-duplicate-key"),
    "duplicate claim": (message(payload=raw(CLAIMS, b"\x06\x00")), "request-duplicate-key"),
    "claims out of order": (message(payload=raw(without(CLAIMS, c.COUNTER), b"\x20\x01")), "request-not-deterministic"),
    "header out of order": (message(raw({1: -8}, b"\x10\x68cl-req/1")), "request-not-deterministic"),
    "long form of a number": (message(payload=long_form()), "request-not-deterministic"),
    "indefinite length": (lambda: b"\xd2\x9f" + GOOD[2:] + b"\xff", "request-not-deterministic"),
    "long form of the tag": (lambda: b"\xd8\x12" + GOOD[1:], "request-not-deterministic"),
    "float": (message(payload=CLAIMS | {c.COUNTER: 1.5}), "request-malformed"),
    "date tag": (message(payload=CLAIMS | {c.IAT: cbor2.CBORTag(1, 5)}), "request-malformed"),
    "broken UTF-8": (lambda: GOOD.replace(b"mqtt-01.plant", b"mqtt-01.plan\xff"), "request-malformed"),
    "extra claim, registered": (message(payload=CLAIMS | {4: 2_000_000_000}), "request-claim-unknown"),
    "extra claim, of the license": (message(payload=CLAIMS | {c.CUSTOMER: "x"}), "request-claim-unknown"),
    "extra claim, private": (message(payload=CLAIMS | {-24: 1}), "request-claim-unknown"),
    "extra claim, text": (message(payload=without(CLAIMS, c.COMMITMENT) | {"x": 1}), "request-claim-unknown"),
    "test mark false": (message(payload=CLAIMS | {c.TEST: False}), "request-claim-invalid"),
    "test mark 1": (message(payload=CLAIMS | {c.TEST: 1}), "request-claim-invalid"),
    "counter true": (message(payload=CLAIMS | {c.COUNTER: True}), "request-claim-invalid"),
    "no fingerprint map": (message(payload=CLAIMS | {c.FINGERPRINT: [1]}), "request-claim-invalid"),
    "fingerprint with true for 1": (
        message(payload=CLAIMS | {c.FINGERPRINT: {True: bytes(8)}}),
        "request-claim-invalid",
    ),
    "unknown fingerprint component": (
        message(payload=CLAIMS | {c.FINGERPRINT: {9: bytes(8)}}),
        "request-claim-invalid",
    ),
    "cnf no map": (cnf(b"key"), "request-claim-invalid"),
    "cnf by thumbprint": (cnf({5: bytes(32)}), "request-claim-invalid"),
    "cnf with kid beside": (cnf({1: COSE_KEY, 3: b"k"}), "request-claim-invalid"),
    "cnf with alg": (cnf({1: COSE_KEY | {3: -8}}), "request-claim-invalid"),
    "cnf with kid": (cnf({1: COSE_KEY | {2: b"k"}}), "request-claim-invalid"),
    "cnf of another curve": (cnf({1: COSE_KEY | {-1: 4}}), "request-claim-invalid"),
    "cnf of another type": (cnf({1: {1: 2, -1: 1, -2: bytes(32)}}), "request-claim-invalid"),
    "cnf with true for 1": (cnf({1: {1: True, -1: 6, -2: public(INSTANCE_KEY)}}), "request-claim-invalid"),
    "cnf with a short key": (cnf({1: COSE_KEY | {-2: bytes(31)}}), "request-claim-invalid"),
    "cnf without a key": (cnf({1: {1: 1, -1: 6}}), "request-claim-invalid"),
    "low-order key": (cnf({1: COSE_KEY | {-2: b"\x01" + bytes(31)}}), "request-weak-key"),
    "key of order eight": (
        cnf({1: COSE_KEY | {-2: bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")}}),
        "request-weak-key",
    ),
    "key encoded twice over": (cnf({1: COSE_KEY | {-2: (2**255 - 18).to_bytes(32, "little")}}), "request-weak-key"),
    "key off the curve": (cnf({1: COSE_KEY | {-2: b"\x02" + bytes(31)}}), "request-signature-wrong"),
    "signed by another key": (lambda: forge(HEADER, CLAIMS, OTHER_KEY), "request-signature-wrong"),
    "key of another Instance put in": (cnf({1: COSE_KEY | {-2: public(OTHER_KEY)}}), "request-signature-wrong"),
    "swapped payload": (swapped_payload, "request-signature-wrong"),
    "swapped header": (swapped_header, "request-signature-wrong"),
    "one bit of the signature": (lambda: GOOD[:-1] + bytes([GOOD[-1] ^ 1]), "request-signature-wrong"),
}
WRONG_TYPES: tuple[object, ...] = (None, [], "a" * 31, -1)
for _claim in CLAIMS:
    CASES[f"{c.NAMES[_claim]} missing"] = (
        message(payload=without(CLAIMS, _claim)),
        # A virtual machine is a hint; everything else of a typical request is required.
        "request-claim-missing" if _claim != c.VIRTUAL else "",
    )
    for _wrong in WRONG_TYPES:
        CASES[f"{c.NAMES[_claim]} {_wrong!r:.4}"] = (
            message(payload=CLAIMS | {_claim: _wrong}), "request-claim-invalid"
        )  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_every_wrong_request_has_its_own_error(case: str) -> None:
    build, code = CASES[case]
    if not code:
        assert read_request(build()).virtual is None
        return
    with pytest.raises(RequestError) as caught:
        read_request(build())
    assert caught.value.code == code
    assert caught.value.message == str(caught.value)
    assert caught.value.message.endswith(".")
    assert "\n" not in caught.value.message


def test_the_forger_itself_makes_good_requests() -> None:
    """The negative control of the table: its unchanged message is the good one."""
    assert forge(HEADER, CLAIMS, INSTANCE_KEY) == GOOD


def test_errors_travel_between_processes() -> None:
    with pytest.raises(RequestError) as caught:
        read_request(b"")
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert (type(again), again.code, again.message, again.detail) == (
        RequestError, caught.value.code, caught.value.message, caught.value.detail
    )  # fmt: skip


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(junk: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_request(junk)


@given(st.data())
@settings(max_examples=300)
def test_a_changed_request_is_refused_by_name(data: st.DataObject) -> None:
    changed = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(changed) - 1))
        kind = data.draw(st.sampled_from(["flip", "insert", "delete"]))
        if kind == "flip":
            changed[place] ^= data.draw(st.integers(1, 255))
        elif kind == "insert":
            changed.insert(place, data.draw(st.integers(0, 255)))
        elif len(changed) > 1:
            del changed[place]
    if bytes(changed) != GOOD:
        with pytest.raises(ProtocolError):
            read_request(bytes(changed))


@given(
    st.dictionaries(
        st.sampled_from([*CLAIMS, c.TEST, c.PREVIOUS]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.binary(max_size=40)
        | st.text(max_size=8)
        | st.dictionaries(st.integers(-3, 5), st.binary(max_size=9) | st.integers(), max_size=3),
        max_size=3,
    )
)
@settings(max_examples=300)
def test_well_signed_nonsense_raises_only_named_errors(changes: dict[int, object]) -> None:
    try:
        read = read_request(forge(HEADER, CLAIMS | changes, INSTANCE_KEY))
    except ProtocolError:
        return
    assert isinstance(read, UsageRequest)


@given(
    st.builds(
        usage_request,
        issued_at=st.integers(0, 2**32 - 1),
        counter=st.integers(0, 2**32 - 1),
        previous=st.none() | st.binary(min_size=16, max_size=16),
        fingerprint=st.just(Fingerprint({})),
        hostname=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=23),
        version=st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,2}){0,2}", fullmatch=True),
        test=st.booleans(),
    )
)
def test_every_permitted_request_comes_back(request: UsageRequest) -> None:
    assert read_request(sign_request(request, INSTANCE_KEY)) == request


def test_a_certificate_alone_is_no_request() -> None:
    with pytest.raises(RequestError) as caught:
        read_request(certificate())
    assert caught.value.code == "request-not-sign1"
