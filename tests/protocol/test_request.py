"""Usage Requests: what is signed comes back, and every way one can be wrong has its own error."""

from __future__ import annotations

import pickle
from typing import Any

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

from tests.protocol.samples import INSTANCE_KEY, LICENSE_KEY, certificate, forge, largest_request, public, usage_request
from tests.protocol.wrong_requests import CASES, CLAIMS, GOOD, HEADER, OTHER_KEY


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
