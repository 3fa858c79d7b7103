"""Creating a license, and changing what it grants."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from chariot_license.protocol.codes import LicenseKey, format_public_id
from django.db import transaction

from activations.domain.ledger import Kind
from activations.domain.words import Ability, Actor, LicenseStatus, RequestState
from activations.models import (
    Activation,
    Customer,
    License,
    LicenseTerms,
    Product,
    RetiredKey,
    Seat,
    UsageRequest,
)
from activations.models.activations import OCCUPYING
from activations.services import vault
from activations.services.booking import Book, lock_license
from activations.services.license_rules import MOST_ALLOWED as MOST_ALLOWED  # noqa: PLC0414 (mypy wants it so)
from activations.services.license_rules import (
    all_expired,
    bad_allowed,
    bad_customer,
    bad_features,
    bad_versions,
    expiry_warnings,
    overtaken,
)
from activations.services.results import BadInput, Refused, bad_reason, lacking, public_id

DEFAULT_PRODUCT = "chariot-mqtt-server"
_USE = "license-key"


@dataclass(frozen=True)
class FeatureTerm:
    """A feature of a license, and its last day (None: it does not expire)."""

    code: str
    expires: date | None = None

    def as_json(self) -> dict[str, str | None]:
        return {"code": self.code, "expires": self.expires.isoformat() if self.expires else None}

    @classmethod
    def from_json(cls, stored: dict[str, str | None]) -> FeatureTerm:
        expires = stored["expires"]
        return cls(str(stored["code"]), date.fromisoformat(expires) if expires else None)


@dataclass(frozen=True)
class LicenseCreated:
    license_id: str
    license_key: str = field(repr=False)  # the one time it is shown; it is mailed to the customer
    warnings: tuple[str, ...] = ()
    new_customer: bool = False  # it was made with the license


@dataclass(frozen=True)
class LicenseChanged:
    license_id: str
    terms_revision: int
    allowed: int
    status: str
    changes: tuple[str, ...]  # the kinds of ledger entries booked
    license_key: str | None = field(default=None, repr=False)  # the new one, after a transfer
    warnings: tuple[str, ...] = ()
    online: bool = False


@dataclass(frozen=True)
class LicenseChange:
    """What to change; None leaves a thing as it is. Features are the whole new list.

    Versions are the lowest and the highest: each None (as it is), "" (no bound) or a version.
    """

    allowed: int | None = None
    features: Sequence[FeatureTerm] | None = None
    versions: tuple[str | None, str | None] | None = None
    status: LicenseStatus | None = None
    customer: str | None = None
    online: bool | None = None


def create_license(
    *,
    customer: str,
    allowed: int,
    features: Sequence[FeatureTerm],
    actor: Actor,
    source: str,
    product: str = DEFAULT_PRODUCT,
    versions: tuple[str, str] = ("", ""),
    online: bool = False,
) -> LicenseCreated | Refused | BadInput:
    """A new license with its License Key, seats and first terms. The key is returned once and stored encrypted."""
    problem = (
        lacking(actor, [Ability.CREATE_LICENSE])
        or bad_customer(customer)
        or bad_allowed(allowed)
        or bad_features(product, features)
        or all_expired(features)
        or bad_versions(versions)
    )
    if problem:
        return problem
    key = LicenseKey(seed=secrets.token_bytes(8), secret=secrets.token_bytes(16))
    license_id = format_public_id("LIC", secrets.token_bytes(10))
    with transaction.atomic(), Book(chain=license_id, actor=actor, source=source) as book:
        buyer, new = Customer.objects.get_or_create(name=customer.strip())
        license = License.objects.create(
            license_id=license_id,
            customer=buyer,
            product=Product.objects.get(code=product),
            allowed=allowed,
            key_encrypted=vault.encrypt(key.text.encode(), use=_USE),
            key_digest=vault.key_digest(key.lookup_id),
            online=online,
            created_at=book.now,
        )
        terms = _add_terms(license, features, versions, book)
        seats = _add_seats(license, range(1, allowed + 1))
        data = {"customer": buyer.name, "product": product, "allowed": allowed, "seats": seats, **terms}
        # Said only where it is true: the entries of all other licenses stay what they were before there was a choice.
        book.add(Kind.LICENSE_CREATED, {**data, "online": True} if online else data)
    return LicenseCreated(license_id, key.text, expiry_warnings(features), new_customer=new)


def _add_terms(
    license: License, features: Sequence[FeatureTerm], versions: tuple[str, str], book: Book
) -> dict[str, object]:
    """The license's current revision of its terms, stored; what the ledger says of it."""
    listed = [feature.as_json() for feature in features]
    LicenseTerms.objects.create(
        license=license,
        revision=license.terms_revision,
        features=listed,
        version_low=versions[0],
        version_high=versions[1],
        created_at=book.now,
    )
    return {"features": listed, "versions": list(versions), "terms_revision": license.terms_revision}


def change_license(
    *,
    license_id: str,
    change: LicenseChange,
    actor: Actor,
    source: str,
    reason: str,
    shown: tuple[int, int] | None = None,
) -> LicenseChanged | Refused | BadInput:
    """Change terms, allowed activations, status or owner, each booked; all of them or none.

    Allowed activations, features, versions and online activation that are as wanted already are left out; if that
    leaves nothing, the answer is "nothing-changed". Hosts keep the Usage License they have until their next round trip.
    `shown` is the terms revision and the allowed activations that a person had before their eyes: if they are others by
    now, nothing is changed.
    """
    refused = lacking(actor, [Ability.CHANGE_LICENSE]) or bad_reason(reason)
    if refused:
        return refused
    found = _named(license_id)
    if isinstance(found, BadInput):
        return found
    with transaction.atomic():
        license = lock_license(found)
        terms = LicenseTerms.objects.get(license=license, revision=license.terms_revision)
        wanted = _differing(license, terms, change)
        problem = overtaken(license, shown) or _unneeded(license, change, wanted) or _problem(license, wanted)
        if problem:
            return problem
        with Book(chain=license.license_id, actor=actor, source=source, reason=reason) as book:
            booked = tuple(_apply(license, terms, wanted, book))
    return LicenseChanged(
        license.license_id,
        license.terms_revision,
        license.allowed,
        license.status,
        booked,
        license_key(License.objects.get(pk=license.pk)).text if wanted.customer is not None else None,
        expiry_warnings(wanted.features or ()),
        license.online,
    )


def _differing(license: License, terms: LicenseTerms, change: LicenseChange) -> LicenseChange:
    """The change without what the license allows and grants already, in whatever order; both versions named."""
    versions = _versions(terms, change)
    features = change.features if change.features is None or not _same(change.features, terms) else None
    return replace(
        change,
        allowed=None if change.allowed == license.allowed else change.allowed,
        features=features,
        versions=None if versions == (terms.version_low, terms.version_high) else versions,
        online=None if change.online == license.online else change.online,
    )


def _same(features: Sequence[FeatureTerm], terms: LicenseTerms) -> bool:
    return Counter(features) == Counter(FeatureTerm.from_json(kept) for kept in terms.features)


def _versions(terms: LicenseTerms, change: LicenseChange) -> tuple[str, str]:
    """The lowest and the highest version after the change; a bound that it does not name stays."""
    low, high = change.versions if change.versions is not None else (None, None)
    return (terms.version_low if low is None else low, terms.version_high if high is None else high)


def _unneeded(license: License, change: LicenseChange, differing: LicenseChange) -> Refused | BadInput | None:
    if change == LicenseChange():
        return BadInput(
            "nothing-to-change",
            "Say what to change: allowed activations, features, versions, online activation, status or customer.",
        )
    if license.status == LicenseStatus.REVOKED:
        return Refused("license-revoked", "A revoked license stays as it is. Create a new one.")
    if differing == LicenseChange():
        return Refused(
            "nothing-changed",
            f"Nothing was booked: license {license.license_id} allows and grants exactly that already. Look at the "
            "license, then name what is to differ.",
        )
    return None


def _problem(license: License, change: LicenseChange) -> Refused | BadInput | None:
    if change.status is not None and change.status == license.status:
        return Refused("status-unchanged", f"License {license.license_id} is {license.status} already.")
    if change.customer is not None and change.customer.strip() == license.customer.name:
        return Refused(
            "customer-unchanged",
            f"License {license.license_id} belongs to {license.customer.name} already; nothing was booked. For another "
            "License Key, replace the key.",
        )
    bad = bad_features(license.product.code, change.features) if change.features is not None else None
    if change.customer is not None:
        bad = bad or bad_customer(change.customer)
    if change.versions is not None:
        bad = bad or bad_versions((change.versions[0] or "", change.versions[1] or ""))
    if change.allowed is not None:
        bad = bad or bad_allowed(change.allowed)
        occupied = Activation.objects.filter(license=license, state__in=OCCUPYING).count()
        if bad is None and change.allowed < occupied:
            return Refused(
                "allowed-below-occupied",
                f"{occupied} activations are in use, so the license cannot go below {occupied}. Deactivate or "
                "restore some first.",
            )
    return bad


def _apply(license: License, terms: LicenseTerms, change: LicenseChange, book: Book) -> list[Kind]:
    booked: list[Kind] = []
    if change.features is not None or change.versions is not None:
        booked.append(_change_terms(license, terms, change, book))
    if change.allowed is not None:
        booked.append(_change_allowed(license, change.allowed, book))
    if change.status is not None:
        booked.append(_change_status(license, change.status, book))
    if change.online is not None:
        booked.append(_change_online(license, change.online, book))
    if change.customer is not None:
        booked += _transfer(license, change.customer, book)
    return booked


def _change_terms(license: License, before: LicenseTerms, change: LicenseChange, book: Book) -> Kind:
    features = (
        change.features if change.features is not None else [FeatureTerm.from_json(kept) for kept in before.features]
    )
    license.terms_revision += 1
    data = _add_terms(license, features, _versions(before, change), book)
    License.objects.filter(pk=license.pk).update(terms_revision=license.terms_revision)
    book.add(Kind.LICENSE_TERMS_CHANGED, data)
    return Kind.LICENSE_TERMS_CHANGED


def _change_allowed(license: License, allowed: int, book: Book) -> Kind:
    """Raise: the count first, then the seats. Lower: free seats go first, from the highest number (Design 9.19)."""
    before = license.allowed
    seats = list(Seat.objects.filter(license=license).values_list("number", flat=True))
    if allowed >= before:
        License.objects.filter(pk=license.pk).update(allowed=allowed)
        unused = sorted(set(range(1, allowed + len(seats) + 1)) - set(seats))
        seats = sorted([*seats, *_add_seats(license, unused[: allowed - before])])
    else:
        held = Activation.objects.filter(license=license, seat__isnull=False).values("seat")
        free = Seat.objects.filter(license=license).exclude(pk__in=held).order_by("-number")
        doomed = list(free[: before - allowed])
        Seat.objects.filter(pk__in=[seat.pk for seat in doomed]).delete()
        License.objects.filter(pk=license.pk).update(allowed=allowed)
        seats = sorted(set(seats) - {seat.number for seat in doomed})
    license.allowed = allowed
    book.add(Kind.LICENSE_ALLOWED_CHANGED, {"allowed": allowed, "before": before, "seats": seats})
    return Kind.LICENSE_ALLOWED_CHANGED


_STATUS_KINDS = {
    LicenseStatus.SUSPENDED: Kind.LICENSE_SUSPENDED,
    LicenseStatus.ACTIVE: Kind.LICENSE_REINSTATED,
    LicenseStatus.REVOKED: Kind.LICENSE_REVOKED,
}


def _change_status(license: License, status: LicenseStatus, book: Book) -> Kind:
    License.objects.filter(pk=license.pk).update(status=status.value)
    license.status = status.value
    book.add(_STATUS_KINDS[status], {})
    return _STATUS_KINDS[status]


def _change_online(license: License, online: bool, book: Book) -> Kind:
    """No revision of the terms: hosts learn nothing of it, so none needs a new Usage License for it."""
    License.objects.filter(pk=license.pk).update(online=online)
    license.online = online
    book.add(Kind.LICENSE_ONLINE_CHANGED, {"online": online})
    return Kind.LICENSE_ONLINE_CHANGED


def _transfer(license: License, customer: str, book: Book) -> list[Kind]:
    """Another owner, and with it another License Key: the earlier owner's must not work any more (Design 9.4)."""
    buyer, _ = Customer.objects.get_or_create(name=customer.strip())
    License.objects.filter(pk=license.pk).update(customer=buyer)
    book.add(Kind.LICENSE_TRANSFERRED, {"customer": buyer.name, "before": license.customer.name})
    _replace_key(license, book)
    return [Kind.LICENSE_TRANSFERRED, Kind.LICENSE_KEY_REPLACED]


def replace_license_key(
    *, license_id: str, actor: Actor, source: str, reason: str
) -> LicenseCreated | Refused | BadInput:
    """A new License Key in place of a leaked one. Installed licenses stay; requests made with the old key do not."""
    refused = lacking(actor, [Ability.CHANGE_LICENSE]) or bad_reason(reason)
    if refused:
        return refused
    found = _named(license_id)
    if isinstance(found, BadInput):
        return found
    with transaction.atomic():
        license = lock_license(found)
        with Book(chain=license.license_id, actor=actor, source=source, reason=reason) as book:
            key = _replace_key(license, book)
    return LicenseCreated(license.license_id, key.text)


def _replace_key(license: License, book: Book) -> LicenseKey:
    """The seed stays and with it the fingerprint salt, so that no host looks changed (Design 9.4)."""
    key = LicenseKey(seed=license_key(license).seed, secret=secrets.token_bytes(16))
    RetiredKey.objects.create(license=license, key_digest=license.key_digest, retired_at=book.now)
    serial = license.key_serial + 1
    License.objects.filter(pk=license.pk).update(
        key_encrypted=vault.encrypt(key.text.encode(), use=_USE),
        key_digest=vault.key_digest(key.lookup_id),
        key_serial=serial,
    )
    book.add(Kind.LICENSE_KEY_REPLACED, {"key_serial": serial})
    _end_waiting_requests(license, book)
    return key


def _end_waiting_requests(license: License, book: Book) -> None:
    """Requests made with the earlier key can no longer be answered, so none of them waits for a person."""
    for request in UsageRequest.objects.filter(license=license, state=RequestState.PENDING).order_by("id"):
        UsageRequest.objects.filter(pk=request.pk).update(state=RequestState.REFUSED, code="license-key-replaced")
        data = {"request_id": request.request_id, "code": "license-key-replaced"}
        book.add(Kind.REQUEST_REFUSED, data)


def license_key(license: License) -> LicenseKey:
    """The License Key, decrypted. Callers need it to check a proof or to mail it to its owner; nothing logs it."""
    return LicenseKey.parse(vault.decrypt(bytes(license.key_encrypted), use=_USE).decode())


def _add_seats(license: License, numbers: Sequence[int]) -> list[int]:
    Seat.objects.bulk_create([Seat(license=license, number=number) for number in numbers])
    return list(numbers)


def _named(license_id: str) -> int | BadInput:
    """The primary key of the license that somebody named."""
    named = public_id("LIC", license_id)
    if isinstance(named, BadInput):
        return named
    found = License.objects.filter(license_id=named).values_list("pk", flat=True).first()
    return BadInput("license-unknown", f"There is no license {named}.") if found is None else found
