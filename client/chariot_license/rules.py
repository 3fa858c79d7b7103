"""What one Chariot may do, decided from values alone: no clock, no randomness, no files."""

from collections.abc import Mapping
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chariot_license import clock, words
from chariot_license.protocol.fingerprint import STRONG, Fingerprint, match
from chariot_license.protocol.license import Feature, UsageLicense, digest16
from chariot_license.protocol.request import thumbprint
from chariot_license.protocol.versions import in_range
from chariot_license.results import FeatureStatus, HostMatch, Refused
from chariot_license.state import InstalledLicense, Pending, State, Tenure

# What the command line says when nobody told it which Chariot it serves.
UNKNOWN_VERSION = "unknown"

_SPARSE_NAMES: Mapping[int, str] = {0: "no identifying part", 1: "only one identifying part"}


def begin_request(state: State, *, request_id: bytes, salt: bytes, secret: bytes, now: int) -> State:
    """Return `state`, which has an Instance key, with a new pending request in place of any earlier one.

    `secret` begins a tenure if none is running; a running one keeps its own (Design 9.1).
    """
    running = state.tenure is not None and state.tenure.revealed_at is None
    return replace(
        state.seen_at(now),
        counter=state.counter + 1,
        pending=Pending(request_id=request_id, made_at=now, salt=salt),
        tenure=state.tenure if running else Tenure(secret=secret),
    )


def is_in_force(state: State, data: bytes) -> bool:
    """Say whether exactly this Usage License is installed already."""
    return state.installed is not None and state.installed.data == data


def why_not_ours(state: State, license: UsageLicense, *, product: str) -> Refused | None:
    """Return why a verified Usage License can never license this Chariot, or None.

    Held against it when it is installed and at every look afterwards: state.json may have been edited.
    """
    if state.private_key is None or license.instance != instance_thumbprint(state.private_key):
        return Refused(
            "other-instance",
            "This Usage License was made for another Chariot. Install the one that answers this Chariot's own"
            " Usage Request; make a new one if none waits for its answer.",
            {"license_id": license.license_id, "usage_license_id": license.usage_license_id},
        )
    if license.test and not state.test:
        return Refused(
            "test-license",
            "This Usage License comes from a test portal and can never license a real Chariot. Make a new Usage Request"
            " and send it to Support, who answer it at the real portal.",
        )
    if license.product != product:
        return Refused(
            "other-product",
            f"This Usage License is for {license.product}, and this is {product}. Ask Support for a License Key of"
            f" {product}, and make a new Usage Request with it.",
        )
    return None


def why_not_answer(state: State, license: UsageLicense) -> Refused | None:
    """Return why a Usage License is not the answer to the pending request, the only one that may come in; or None."""
    pending = state.pending
    if pending is not None:
        if license.request_id == pending.request_id:
            return None
        return Refused(
            "superseded-request",
            "This Usage License answers an earlier Usage Request. A newer Usage Request was made on"
            f" {words.moment(pending.made_at)}; its answer is needed. Send the newer request to Support if that has"
            " not been done.",
            {"newer_request_made_at": words.iso(pending.made_at)},
        )
    if state.tenure is not None and state.tenure.revealed_at is not None:
        return Refused(
            "deactivated",
            f"This Chariot was deactivated on {words.moment(state.tenure.revealed_at)}; licenses from before cannot be"
            " installed again. Make a new Usage Request and send it to Support.",
        )
    return Refused(
        "no-pending-request",
        "No Usage Request is waiting for an answer here, and this is not the license in force. Make a new Usage"
        " Request and send it to Support.",
    )


def wrong_host(fit: HostMatch) -> Refused:
    """Return the refusal of a Usage License that was made for another host."""
    return Refused(
        "host-mismatch",
        f"This Usage License was made for another host: {fit.words}. Make a new Usage Request on this host and send"
        " it to Support.",
        {"host_match_words": fit.words},
    )


def after_install(state: State, license: UsageLicense, data: bytes, now: int) -> State:
    """Return `state` with the answer to its pending request in force, and its high-water clock mended by it."""
    if state.pending is None or state.tenure is None:
        raise ValueError("no request is pending")
    earlier = [known for known in state.tenure.license_ids if known != license.license_id]
    return replace(
        state,
        pending=None,
        installed=InstalledLicense(data=data, salt=state.pending.salt, installed_at=now),
        tenure=replace(state.tenure, license_ids=(*earlier, license.license_id)),
        high_water=clock.high_water_after(state.pending, license, now),
        denied=tuple(sorted({*state.denied, *license.revoked})),
    )


def after_deactivation(state: State, now: int) -> State | Refused:
    """Return `state` without license and pending request, its deactivation secret revealed.

    A state deactivated before is returned as it is: its code is shown again.
    """
    if state.tenure is None:
        return Refused(
            "nothing-to-deactivate",
            "This Chariot never made a Usage Request, so it holds no activation and there is nothing to deactivate.",
        )
    if state.tenure.revealed_at is not None:
        return state
    return replace(state.seen_at(now), pending=None, installed=None, tenure=replace(state.tenure, revealed_at=now))


def previous_digest(state: State) -> bytes | None:
    """Return what a request says of the Usage License installed now; None if there is none."""
    return digest16(state.installed.data) if state.installed else None


def host_fit(known: Fingerprint, seen: Fingerprint) -> HostMatch:
    """Compare the host a license was issued for with this host.

    Where the license itself names fewer than two strong components, Support issued it knowing that, and `match`
    cannot tell. Then all of those must still be there. A license that names none fits only a host that shows as
    little: on one that could be recognised, its state directory may have been copied from anywhere.
    """
    found = match(known, seen)
    strong, shown = strong_components(known), strong_components(seen)
    if len(strong) >= 2:
        return HostMatch(found.matched, found.words)
    fits = set(strong) <= set(found.shared) and (bool(strong) or len(shown) < 2)
    told = f"{found.words}; the license knows {_SPARSE_NAMES[len(strong)]} of its host"
    if not strong and not fits:
        told += f", and this host shows {len(shown)}"
    return HostMatch(fits, told)


def strong_components(fingerprint: Fingerprint) -> list[str]:
    """Return the names of the components by which a host can be recognised."""
    return [name for name in fingerprint.components if name in STRONG]


def feature_status(feature: Feature, now: int) -> FeatureStatus:
    """Judge one feature at `now`, the latest time the host has ever seen."""
    if feature.expires is None:
        return FeatureStatus(feature.code, None, None, active=True)
    left = feature.expires - now
    return FeatureStatus(feature.code, feature.expires, max(left, 0) // words.DAY, active=left > 0)


def licensed_state(features: tuple[FeatureStatus, ...], fit: HostMatch, *, covered: bool | None) -> tuple[str, str]:
    """Return the state word and sentence of a license that verifies; `covered` as `covers` says."""
    if not fit.matched:
        return "host-mismatch", (
            f"The license was made for another host: {fit.words}. Make a new Usage Request and send it to Support."
        )
    if covered is False:
        return "version-not-covered", (
            "The license does not cover this version of Chariot. Ask Support for an extension, then make a new"
            " Usage Request."
        )
    note = "" if covered else " Version not judged: name Chariot's version with --chariot-version."
    expired = [feature.code for feature in features if not feature.active]
    if features and len(expired) == len(features):
        return "expired", f"Every feature of the license has expired. Renew it, then make a new Usage Request.{note}"
    if expired:
        return "active", f"The license is active; expired: {words.listed(expired)}.{note}"
    return "active", f"The license is active.{note}"


def covers(license: UsageLicense, version: str) -> bool | None:
    """Say whether the license covers the running version; None if nobody told the command line which one runs."""
    if license.versions == ("", ""):
        return True
    return None if version == UNKNOWN_VERSION else in_range(version, *license.versions)


def request_warnings(
    state: State, *, salt: bytes, fingerprint: Fingerprint, now: int, shown_code: str | None
) -> list[str]:
    """Return what the person who makes a new request should know. `shown_code` is the code of the last tenure."""
    found = []
    if state.pending:
        found.append(
            f"The Usage Request made on {words.moment(state.pending.made_at)} is no longer valid; its answer cannot"
            " be installed any more. Send Support the new one."
        )
    if state.installed and state.installed.salt != salt:
        found.append(
            "This License Key belongs to another license than the one in force here. The activation of that one"
            " stays taken; to free it, deactivate first."
        )
    if shown_code:
        found.append(
            f"The earlier deactivation code {shown_code} will not be shown again. If Support does not have it yet,"
            " keep it now."
        )
    strong = len(strong_components(fingerprint))
    if strong in _SPARSE_NAMES:
        found.append(
            f"This host shows {_SPARSE_NAMES[strong]} of its hardware, so Support may ask about it. Run as an"
            " administrator; in a container, mount the host's /etc/machine-id read-only."
        )
    if warning := clock.clock_set_back(state, now):
        found.append(warning)
    return found


def instance_thumbprint(private_key: bytes) -> bytes:
    """Return the thumbprint of the Instance whose raw private key this is."""
    return thumbprint(Ed25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw())
