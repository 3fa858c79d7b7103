"""Putting a Usage Request together, and the version of Chariot that it names."""

import re

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chariot_license import rules
from chariot_license.errors import InputError
from chariot_license.protocol.block import Kind
from chariot_license.protocol.codes import LicenseKey, commitment
from chariot_license.protocol.errors import ProtocolError
from chariot_license.protocol.fingerprint import HostFacts, fingerprint_of
from chariot_license.protocol.reader import read_block
from chariot_license.protocol.request import (
    MAX_PRODUCT_AND_VERSION,
    UsageRequest,
    fit_hostname,
    proof_holds,
    read_request,
    request_proof,
    thumbprint,
)
from chariot_license.protocol.versions import in_range
from chariot_license.state import State

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)*")


def compose(state: State, key: LicenseKey, facts: HostFacts, *, product: str, version: str) -> UsageRequest:
    """Return the Usage Request that `state` waits for the answer of."""
    if state.private_key is None or state.pending is None or state.tenure is None:
        raise ValueError("the state has no pending request")
    public = Ed25519PrivateKey.from_private_bytes(state.private_key).public_key().public_bytes_raw()
    print_of_key = thumbprint(public)
    return UsageRequest(
        request_id=state.pending.request_id,
        issued_at=state.pending.made_at,
        counter=state.counter,
        instance_key=public,
        lookup_id=key.lookup_id,
        proof=request_proof(key, print_of_key, state.pending.request_id),
        previous=rules.previous_digest(state),
        fingerprint=fingerprint_of(facts, key.salt),
        container=facts.container,
        virtual=facts.virtual,
        hostname=fit_hostname(facts.hostname or ""),
        product=product,
        version=version_to_send(version, product),
        commitment=commitment(print_of_key, state.tenure.secret),
        test=state.test,
    )


def kept_block(text: str, state: State, key: LicenseKey) -> str | None:
    """Return the block in `text` if it is the pending Usage Request of `state`, made with `key`; else None.

    The text may be anybody's.
    """
    if state.private_key is None or state.pending is None or not text:
        return None
    try:
        found = read_block(text, Kind.REQUEST)
        request = read_request(found.data)
    except ProtocolError:
        return None
    ours = request.request_id == state.pending.request_id
    ours = ours and request.thumbprint == rules.instance_thumbprint(state.private_key)
    return found.text if ours and proof_holds(request, key.proof_key) and request.lookup_id == key.lookup_id else None


def checked_version(version: str, product: str) -> str:
    """Return `version` trimmed, if version ranges can judge it. Raises InputError "chariot-version-invalid".

    It begins with a number ("2.4.1", "5.0.2-SNAPSHOT"), is printable ASCII, and its number fits into a Usage
    Request beside the product. A number cut short would be another version, that may lie in another range.
    """
    wanted = 'Pass one that begins with its number, like "2.4.1" or "5.0.2-SNAPSHOT".'
    if not isinstance(version, str) or not version.isascii() or not version.strip(" ").isprintable():
        raise InputError(
            "chariot-version-invalid", f"Chariot's version {ascii(version)[:60]} is no plain text. {wanted}"
        )
    version = version.strip(" ")
    number = _NUMBER.match(version)
    # Every version that has a number lies in the range that begins at 0.
    if number is None or not in_range(version, "0", ""):
        raise InputError(
            "chariot-version-invalid", f"Chariot's version {ascii(version)[:60]} does not begin with a number. {wanted}"
        )
    if number.end() > _room(product):
        raise InputError(
            "chariot-version-invalid",
            f"The number of Chariot's version {ascii(version)[:60]} is too long: a Usage Request has room for"
            f" {max(_room(product), 0)} characters beside {product}. {wanted}",
        )
    return version


def version_to_send(version: str, product: str) -> str:
    """Return what a Usage Request carries of a `checked_version`.

    What does not fit is the end of its suffix, which no version range looks at.
    """
    return version[: _room(product)]


def _room(product: str) -> int:
    return MAX_PRODUCT_AND_VERSION - len(product)
