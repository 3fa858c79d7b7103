"""Reads the facts of a decision from the tables. Called under the license's lock; takes no lock itself."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from chariot_license.protocol.fingerprint import Fingerprint
from chariot_license.protocol.license import digest16
from chariot_license.protocol.request import UsageRequest as ReadRequest
from django.conf import settings
from django.db.models import Count, Q

from activations.domain import facts
from activations.domain.words import (
    ActivationState,
    LicenseStatus,
    RequestState,
    RestorationState,
    TombstoneKind,
)
from activations.models import (
    Activation,
    Instance,
    License,
    LicenseTerms,
    RevealedCode,
    Tombstone,
    UsageLicense,
    UsageRequest,
)

YEAR = timedelta(days=365)


def gather(license: License, instance: Instance | None, read: ReadRequest, now: datetime) -> facts.Facts:
    """Everything the decision for this request depends on. `instance` is None when it was never seen."""
    stored = UsageRequest.objects.filter(request_id=read.request_id.hex()).first()
    return facts.Facts(
        request=_request(read, stored),
        license=license_facts(license, now.date()),
        instance=_instance(instance, license, stored) if instance else facts.InstanceFacts(),
        activations=_activations(license, now),
        tombstones=_tombstones(license),
        accept_test_requests=settings.ACCEPT_TEST_REQUESTS,
    )


def current_terms(license: License) -> LicenseTerms:
    return LicenseTerms.objects.get(license=license, revision=license.terms_revision)


def license_facts(license: License, today: date) -> facts.LicenseFacts:
    terms = current_terms(license)
    lasts = [feature["expires"] for feature in terms.features]
    return facts.LicenseFacts(
        license_id=license.license_id,
        status=LicenseStatus(license.status),
        wholly_expired=all(last is not None and date.fromisoformat(last) < today for last in lasts),
        product=license.product.code,
        versions=(terms.version_low, terms.version_high),
        terms_revision=license.terms_revision,
        allowed=license.allowed,
    )


def _request(read: ReadRequest, stored: UsageRequest | None) -> facts.RequestFacts:
    answer = UsageLicense.objects.filter(request=stored).select_related("activation").first() if stored else None
    return facts.RequestFacts(
        request_id=read.request_id.hex(),
        instance=read.thumbprint.hex(),
        counter=read.counter,
        previous=read.previous.hex() if read.previous is not None else None,
        commitment=read.commitment.hex(),
        fingerprint=read.fingerprint,
        container=read.container,
        hostname=read.hostname,
        product=read.product,
        version=read.version,
        test=read.test,
        state=RequestState(stored.state) if stored else None,
        refusal=stored.refusal if stored else "",
        answer=facts.AnswerFacts(
            usage_license_id=answer.usage_license_id,
            activation_id=answer.activation.activation_id,
            terms_revision=answer.terms_revision,
        )
        if answer
        else None,
    )


def _instance(instance: Instance, license: License, stored: UsageRequest | None) -> facts.InstanceFacts:
    others = UsageRequest.objects.filter(instance=instance, epoch=instance.epoch, in_line=True)
    if stored is not None:
        others = others.exclude(pk=stored.pk)
    latest = others.order_by("-counter").first()
    codes = RevealedCode.objects.filter(instance=instance, epoch=instance.epoch).order_by("revealed_at", "id")
    payloads = UsageLicense.objects.filter(request__instance=instance).order_by("id").values_list("payload", flat=True)
    issued = tuple(digest16(bytes(payload)).hex() for payload in payloads.iterator())
    last_code = codes.last()
    if last_code is not None:
        others = others.filter(received_at__gt=last_code.revealed_at)
    named = set(others.exclude(previous="").values_list("previous", flat=True))
    elsewhere = Activation.objects.filter(instance=instance, state=ActivationState.ACTIVE).exclude(license=license)
    return facts.InstanceFacts(
        latest=facts.SeenRequest(latest.request_id, latest.counter, f"{latest.received_at:%Y-%m-%d %H:%M} UTC")
        if latest
        else None,
        known_id=stored is not None and stored.in_line and stored.epoch == instance.epoch,
        before_backup=stored is not None and stored.epoch < instance.epoch,
        issued=issued,
        acknowledged=next((digest for digest in reversed(issued) if digest in named), None),
        revealed=frozenset(codes.values_list("commitment", flat=True)),
        active_elsewhere=tuple(elsewhere.order_by("id").values_list("license__license_id", flat=True)),
    )


def _activations(license: License, now: datetime) -> tuple[facts.ActivationFacts, ...]:
    displaced = Q(tombstones__kind=TombstoneKind.DISPLACED, tombstones__placed_at__gt=now - YEAR)
    rows = (
        Activation.objects.filter(license=license)
        .select_related("instance", "usage_license")
        .annotate(reinstalls=Count("tombstones", filter=displaced))
        .order_by("id")
    )
    return tuple(
        facts.ActivationFacts(
            activation_id=row.activation_id,
            state=ActivationState(row.state),
            instance=row.instance.thumbprint,
            fingerprint=Fingerprint.from_json(row.fingerprint),
            commitment=row.commitment,
            hostname=row.hostname,
            container=row.container or None,
            since=f"{row.created_at:%Y-%m-%d}",
            terms_revision=row.usage_license.terms_revision if row.usage_license else 0,
            reinstalls_this_year=row.reinstalls,
            open_restoration=open_restoration_id(row),
        )
        for row in rows
    )


def open_restoration_id(activation: Activation) -> str | None:
    if activation.state != ActivationState.LOST:
        return None
    open_ones = activation.restorations.filter(state=RestorationState.REQUESTED)
    return open_ones.values_list("restoration_id", flat=True).first()


def _tombstones(license: License) -> tuple[facts.TombstoneFacts, ...]:
    rows = Tombstone.objects.filter(license=license, settled_at__isnull=True)
    return tuple(
        facts.TombstoneFacts(
            tombstone_id=row.tombstone_id,
            kind=TombstoneKind(row.kind),
            activation_id=row.activation.activation_id,
            instance=row.instance.thumbprint,
            fingerprint=Fingerprint.from_json(row.fingerprint),
            restoration_id=row.restoration.restoration_id if row.restoration else None,
        )
        for row in rows.select_related("activation", "instance", "restoration").order_by("id")
    )
