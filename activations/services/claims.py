"""What a Usage License says: the claims built from license, request and activation, and whether they fit one."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from chariot_license.protocol.codes import format_public_id
from chariot_license.protocol.errors import ProtocolError
from chariot_license.protocol.license import Feature, UsageLicense, check_license
from chariot_license.protocol.request import UsageRequest

from activations.domain.ledger import GENESIS
from activations.models import KeyPurpose, License
from activations.services.gathering import current_terms
from activations.services.results import Unanswerable
from activations.services.signing import current_certificate


def license_claims(
    license: License,
    request: UsageRequest,
    *,
    usage_license_id: str,
    activation_id: str,
    supersedes: str | None,
    issued_at: datetime,
    ledger_head: str,
) -> UsageLicense:
    """The claims that answer `request` with the current terms. `ledger_head` in hex, of the license's chain."""
    terms = current_terms(license)
    return UsageLicense(
        usage_license_id=usage_license_id,
        license_id=license.license_id,
        activation_id=activation_id,
        request_id=request.request_id,
        instance=request.thumbprint,
        fingerprint=request.fingerprint,
        product=license.product.code,
        versions=(terms.version_low, terms.version_high),
        features=tuple(Feature(feature["code"], _end_of(feature["expires"])) for feature in terms.features),
        terms_revision=license.terms_revision,
        supersedes=supersedes,
        issued_at=int(issued_at.timestamp()),
        ledger_head=bytes.fromhex(ledger_head)[:16],
        customer=license.customer.name,
        revoked=(),
        test=request.test,
    )


def why_unfit(license: License, request: UsageRequest, at: datetime) -> Unanswerable | None:
    """Why no Usage License could say what the terms say now: a dry run finds it, not the booking.

    Raises NoSigningKey when there is nothing to sign with. Identifiers are stand-ins of the size of real ones.
    """
    claims = license_claims(
        license,
        request,
        usage_license_id=format_public_id("USL", bytes(10)),
        activation_id=format_public_id("ACT", bytes(10)),
        supersedes=format_public_id("USL", bytes(10)),
        issued_at=at,
        ledger_head=GENESIS,
    )
    try:
        check_license(claims, current_certificate(KeyPurpose.USAGE_LICENSE, at))
    except ProtocolError as error:
        return Unanswerable(
            "license-unfit",
            f"{license.license_id} does not fit into a Usage License ({error.detail or error.code}). A license manager "
            "must shorten its terms: fewer features, or shorter names. Nothing was booked; the request stays good.",
            {"license_id": license.license_id, "why": error.code},
        )
    return None


def _end_of(last_day: str | None) -> int | None:
    """The second at which a feature stops: the end of its last day, in UTC."""
    if last_day is None:
        return None
    midnight = datetime.combine(date.fromisoformat(last_day) + timedelta(days=1), time(), UTC)
    return int(midnight.timestamp())
