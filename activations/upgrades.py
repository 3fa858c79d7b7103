"""Which hosts still run on older terms than their license has now: they need a new round trip to get them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import F, QuerySet

from activations.domain.words import ActivationState
from activations.models import Activation, License, LicenseTerms


@dataclass(frozen=True)
class OlderTerms:
    """A host and the revision of the terms that its Usage License grants."""

    activation: Activation
    terms: LicenseTerms


def behind(license: License) -> QuerySet[Activation]:
    """Active activations whose Usage License was made from an earlier revision of the terms, by host."""
    active = Activation.objects.filter(license=license, state=ActivationState.ACTIVE)
    older = active.filter(usage_license__terms_revision__lt=license.terms_revision)
    return older.select_related("usage_license", "seat").order_by("hostname", "id")


def on_older_terms(license: License) -> list[OlderTerms]:
    """The same with the terms each host has, in two queries."""
    rows = list(behind(license))
    revisions = {terms.revision: terms for terms in _terms(license, (_revision(row) for row in rows))}
    return [OlderTerms(row, revisions[_revision(row)]) for row in rows]


def all_behind() -> QuerySet[Activation]:
    """Over all licenses."""
    active = Activation.objects.filter(state=ActivationState.ACTIVE)
    return active.filter(usage_license__terms_revision__lt=F("license__terms_revision"))


def active_of(license: License) -> QuerySet[Activation]:
    """What a change of terms would put behind."""
    active = Activation.objects.filter(license=license, state=ActivationState.ACTIVE)
    return active.select_related("usage_license", "seat").order_by("hostname", "id")


def terms_of_host(license: License, activation_id: str | None) -> LicenseTerms | None:
    """The terms that the Usage License of this activation grants; None for a new one."""
    held = Activation.objects.filter(license=license, activation_id=activation_id or "")
    revision = held.values_list("usage_license__terms_revision", flat=True).first()
    return _terms(license, [revision]).first() if revision else None


def _terms(license: License, revisions: Iterable[int]) -> QuerySet[LicenseTerms]:
    return LicenseTerms.objects.filter(license=license, revision__in=set(revisions))


def _revision(row: Activation) -> int:
    return row.usage_license.terms_revision if row.usage_license else 0
