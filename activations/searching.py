"""Reads of the search field: what was typed, and the rows it finds in each table. A fixed number of queries.

Ids and hashes are looked up by index. Only customers, contacts and host labels are searched for a part of their text,
and fingerprints for a whole component hash.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from chariot_license.protocol.codes import PUBLIC_IDS, find_codes, parse_public_id
from chariot_license.protocol.errors import CodeError
from django.db.models import Model, Q, QuerySet, TextField
from django.db.models.functions import Cast

from activations import queries
from activations.domain.words import RequestState
from activations.models import (
    Activation,
    Contact,
    Customer,
    Instance,
    License,
    Restoration,
    RetiredKey,
    Tombstone,
    UsageLicense,
    UsageRequest,
)

MOST_ROWS = 10  # of each kind on the page; the rest is on the list that "show all" leads to
MOST_LETTERS = 200
FEWEST_LETTERS = 2
# Pages show the first 16 digits of a thumbprint; fewer than 8 say nothing.
HEX = re.compile(r"[0-9a-f]{8,64}")
COMPONENT = 16  # hex digits of a part of a fingerprint
WHOLE_HASHES = (COMPONENT, 32, 64)  # and of a request id and a thumbprint
_PREFIX = re.compile(r"([LI1][LI1]C|ACT|USL|RES|TMB)(?=[^0-9A-Z]|[0-9A-Z]{8})(?=.*[0-9].*[0-9])", re.IGNORECASE)


Row = TypeVar("Row", Activation, Tombstone)


@dataclass(frozen=True)
class Sought:
    """What was typed, as the tables know it. `text` is empty where an id or a whole hash says exactly what is meant."""

    text: str = ""
    hex: str = ""
    ids: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by prefix
    typo: str = ""

    def named(self, prefix: str) -> tuple[str, ...]:
        return self.ids.get(prefix, ())

    @property
    def component(self) -> bool:
        return len(self.hex) == COMPONENT


def sought(typed: str) -> Sought:
    """Reads what was typed or pasted into the search field. Never raises."""
    text = " ".join(typed.replace("\x00", "").split())[:MOST_LETTERS]
    ids: dict[str, tuple[str, ...]] = {}
    prefix, typo = _prefix_of(text), ""
    for name in (prefix,) if prefix else PUBLIC_IDS:
        try:
            ids[name] = (parse_public_id(name, text),)
        except CodeError as error:
            typo = error.message if prefix else ""
    license_ids = find_codes(text).license_ids  # with words around them
    if license_ids:
        ids, prefix, typo = {"LIC": license_ids}, "LIC", ""
    digits = re.sub(r"[\s:]", "", text).lower()
    digits = digits if HEX.fullmatch(digits) else ""
    # Without its prefix an id has the letters that a customer's name may have, so the name is searched for as well.
    exact = len(digits) in WHOLE_HASHES or (prefix in ids)
    return Sought("" if exact or len(text) < FEWEST_LETTERS else text, digits, ids, typo)


def _prefix_of(text: str) -> str:
    """The prefix of the public id that this was meant to be, "" for anything else."""
    found = _PREFIX.match(text)
    if not found:
        return ""
    letters = found[1].upper()
    return letters if letters in PUBLIC_IDS else "LIC"


def page_of_id(typed: str) -> Model | None:
    """The row of a public id, when the id, however typed, is all there is."""
    for prefix, (model, name) in _BY_ID.items():
        with suppress(CodeError):
            found = model._default_manager.filter(**{name: parse_public_id(prefix, typed.strip())}).first()
            if found is not None:
                return found
    return None


_BY_ID: dict[str, tuple[type[Model], str]] = {
    "LIC": (License, "license_id"),
    "ACT": (Activation, "activation_id"),
    "USL": (UsageLicense, "usage_license_id"),
    "RES": (Restoration, "restoration_id"),
    "TMB": (Tombstone, "tombstone_id"),
}


@dataclass(frozen=True)
class ByKey:
    """The license of a License Key. `replaced`: the key is one that it had before."""

    license: License
    replaced: bool


def by_key(digest: str) -> ByKey | None:
    """The license whose key, or whose earlier key, has this keyed digest."""
    license = License.objects.filter(key_digest=digest).first()
    if license is not None:
        return ByKey(license, replaced=False)
    retired = RetiredKey.objects.filter(key_digest=digest).select_related("license").first()
    return ByKey(retired.license, replaced=True) if retired else None


def licenses(what: Sought) -> QuerySet[License]:
    """By License ID; by customer, or a contact of theirs."""
    found = queries.licenses_with_seats()
    if what.named("LIC"):
        return found.filter(license_id__in=what.named("LIC"))
    if not what.text:
        return found.none()
    theirs = Q(customer__name__icontains=what.text) | Q(customer__in=_contacts(what.text).values("customer"))
    return found.filter(theirs).order_by("customer__name", "license_id")


def customers(what: Sought) -> QuerySet[Customer]:
    return Customer.objects.filter(name__icontains=what.text) if what.text else Customer.objects.none()


def contacts(what: Sought) -> QuerySet[Contact]:
    return _contacts(what.text).select_related("customer") if what.text else Contact.objects.none()


def _contacts(text: str) -> QuerySet[Contact]:
    return Contact.objects.filter(Q(name__icontains=text) | Q(email__icontains=text))


def activations(what: Sought) -> QuerySet[Activation]:
    """By activation id, by host label, by the Instance's thumbprint, by a part of the fingerprint."""
    found = Activation.objects.select_related("license__customer")
    if what.named("ACT"):
        return found.filter(activation_id__in=what.named("ACT"))
    return _of_hosts(found, what, Q(hostname__icontains=what.text) if what.text else None)


def tombstones(what: Sought) -> QuerySet[Tombstone]:
    """Written-off hosts: by tombstone id, thumbprint or fingerprint."""
    found = Tombstone.objects.select_related("license__customer", "activation")
    if what.named("TMB"):
        return found.filter(tombstone_id__in=what.named("TMB"))
    return _of_hosts(found, what, None)


def requests(what: Sought) -> QuerySet[UsageRequest]:
    """By request id, thumbprint or host label; those that were answered are found by their activation."""
    found = UsageRequest.objects.select_related("license__customer")
    if what.hex:
        asked = Q(instance__in=_instances(what.hex))
        return found.filter(Q(request_id__gte=what.hex, request_id__lt=f"{what.hex}g") | asked)
    if not what.text:
        return found.none()
    return found.filter(hostname__icontains=what.text).exclude(state=RequestState.ANSWERED)


def usage_licenses(what: Sought) -> QuerySet[UsageLicense]:
    found = UsageLicense.objects.select_related("activation__license__customer")
    return found.filter(usage_license_id__in=what.named("USL"))


def restorations(what: Sought) -> QuerySet[Restoration]:
    found = Restoration.objects.select_related("activation__license__customer")
    return found.filter(restoration_id__in=what.named("RES"))


def _of_hosts(found: QuerySet[Row], what: Sought, label: Q | None) -> QuerySet[Row]:
    meant = label
    if what.hex:
        of_instance = Q(instance__in=_instances(what.hex))
        meant = of_instance if meant is None else meant | of_instance
    if what.component and meant is not None:
        found = found.annotate(as_text=Cast("fingerprint", TextField()))
        meant |= Q(as_text__contains=f'"{what.hex}"')
    return found.none() if meant is None else found.filter(meant)


def _instances(digits: str) -> QuerySet[Instance]:
    """Of which these are the first digits, by index: a range, since not every database uses one for LIKE."""
    return Instance.objects.filter(thumbprint__gte=digits, thumbprint__lt=f"{digits}g")


FINDERS: dict[str, Callable[[Sought], QuerySet[Any]]] = {
    "license": licenses,
    "customer": customers,
    "contact": contacts,
    "activation": activations,
    "usagelicense": usage_licenses,
    "usagerequest": requests,
    "restoration": restorations,
    "tombstone": tombstones,
}
