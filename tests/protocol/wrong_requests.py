"""A good Usage Request and every way one can be wrong, with the error of each."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import cbor2
from chariot_license.protocol import claims as c
from chariot_license.protocol.request import sign_request

from tests.protocol.samples import INSTANCE_KEY, forge, parts, private_key, public, usage_request

GOOD = sign_request(usage_request(), INSTANCE_KEY)
HEADER, CLAIMS = parts(GOOD)
OTHER_KEY = private_key("another instance")


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
