"""Activations and what answers, frees, loses and restores them."""

from django.db import models
from django.db.models import F, Q

from activations.domain.words import ActivationState, RestorationState, TombstoneKind
from activations.models.licenses import License, Seat
from activations.models.requests import Instance, UsageRequest

OCCUPYING = [state.value for state in ActivationState if state.occupies_seat]


class Activation(models.Model):
    """One of a license's allowed activations, held by one Instance. Never deleted."""

    activation_id = models.CharField(max_length=32, unique=True)
    license = models.ForeignKey(License, on_delete=models.PROTECT, related_name="activations")
    state = models.CharField(max_length=12, choices=[(s.value, s.value) for s in ActivationState])
    seat = models.ForeignKey(Seat, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="activations")
    fingerprint = models.JSONField()
    commitment = models.CharField(max_length=64)
    hostname = models.CharField(max_length=64, blank=True)
    container = models.CharField(max_length=40, blank=True)
    version = models.CharField(max_length=40)
    usage_license = models.OneToOneField(
        "UsageLicense",
        on_delete=models.PROTECT,
        null=True,
        related_name="current_of",
        verbose_name="current Usage License",
    )
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["seat"], condition=Q(seat__isnull=False), name="one_activation_per_seat"),
            models.CheckConstraint(
                condition=Q(state__in=OCCUPYING, seat__isnull=False) | (Q(seat__isnull=True) & ~Q(state__in=OCCUPYING)),
                name="seat_if_and_only_if_occupying",
            ),
            models.UniqueConstraint(
                fields=["license", "instance"],
                condition=Q(state=ActivationState.ACTIVE.value),
                name="one_active_activation_per_instance",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in ActivationState]),
                name="activation_state_known",
            ),
        ]

    def __str__(self) -> str:
        return self.activation_id


class UsageLicense(models.Model):
    """A signed Usage License, byte for byte as sent. Rows are only ever inserted; a trigger holds that."""

    usage_license_id = models.CharField(max_length=32, unique=True)
    request = models.ForeignKey(UsageRequest, on_delete=models.PROTECT, related_name="answers")
    activation = models.ForeignKey(Activation, on_delete=models.PROTECT, related_name="usage_licenses")
    terms_revision = models.PositiveIntegerField()
    supersedes = models.CharField(max_length=32, blank=True)
    payload = models.BinaryField("bytes as sent")
    text = models.TextField("text as sent")
    sha256 = models.CharField(max_length=64)
    signing_serial = models.CharField("serial of the signing certificate", max_length=40)
    issued_at = models.DateTimeField()
    issued_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["-issued_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["request"], name="one_usage_license_per_request"),
        ]

    def __str__(self) -> str:
        return self.usage_license_id


class Restoration(models.Model):
    """A reviewed case: may the lost activation be used again? Two people, by constraint."""

    restoration_id = models.CharField(max_length=32, unique=True)
    activation = models.ForeignKey(Activation, on_delete=models.PROTECT, related_name="restorations")
    state = models.CharField(max_length=10, choices=[(s.value, s.value) for s in RestorationState])
    requested_by = models.CharField(max_length=150)
    requested_at = models.DateTimeField()
    reason = models.TextField("what happened")
    decided_by = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_reason = models.TextField(blank=True)
    above_quota = models.BooleanField(
        default=False, help_text="Approved although the customer had as many restorations within a year as allowed."
    )

    class Meta:
        ordering = ["-requested_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["activation"],
                condition=Q(state=RestorationState.REQUESTED.value),
                name="one_open_restoration_per_activation",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[RestorationState.APPROVED.value, RestorationState.DENIED.value])
                | ~Q(decided_by=F("requested_by")),
                name="restoration_decided_by_another_person",
            ),
            models.CheckConstraint(
                condition=Q(state=RestorationState.REQUESTED.value, decided_by="", decided_at__isnull=True)
                | (~Q(state=RestorationState.REQUESTED.value) & ~Q(decided_by="") & Q(decided_at__isnull=False)),
                name="restoration_decided_if_and_only_if_closed",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in RestorationState]),
                name="restoration_state_known",
            ),
        ]

    def __str__(self) -> str:
        return self.restoration_id


class Tombstone(models.Model):
    """An Instance and host that were written off but may still hold a working Usage License."""

    tombstone_id = models.CharField(max_length=32, unique=True)
    license = models.ForeignKey(License, on_delete=models.PROTECT, related_name="tombstones")
    kind = models.CharField(max_length=10, choices=[(k.value, k.value) for k in TombstoneKind])
    activation = models.ForeignKey(Activation, on_delete=models.PROTECT, related_name="tombstones")
    restoration = models.ForeignKey(
        Restoration, on_delete=models.PROTECT, null=True, blank=True, related_name="tombstones"
    )
    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="tombstones")
    fingerprint = models.JSONField()
    commitment = models.CharField(max_length=64)
    placed_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-placed_at", "-id"]

    def __str__(self) -> str:
        return self.tombstone_id


class Sighting(models.Model):
    """A later request from a written-off Instance or host."""

    tombstone = models.ForeignKey(Tombstone, on_delete=models.PROTECT, related_name="sightings")
    request = models.ForeignKey(UsageRequest, on_delete=models.PROTECT, related_name="sightings")
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["seen_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["tombstone", "request"], name="one_sighting_per_request"),
        ]

    def __str__(self) -> str:
        return f"{self.tombstone} seen {self.seen_at:%Y-%m-%d}"


class RevealedCode(models.Model):
    """A deactivation code that arrived. The code itself is not kept: its commitment names it."""

    license = models.ForeignKey(License, on_delete=models.PROTECT, related_name="revealed_codes")
    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="revealed_codes")
    epoch = models.PositiveIntegerField()
    commitment = models.CharField(max_length=64)
    activation = models.ForeignKey(Activation, on_delete=models.PROTECT, related_name="revealed_codes")
    revealed_at = models.DateTimeField()
    revealed_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["revealed_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["license", "commitment", "activation", "epoch"], name="one_revealed_code_per_activation"
            ),
        ]

    def __str__(self) -> str:
        return f"code of {self.activation}"
