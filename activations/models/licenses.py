"""Licenses, the revisions of their terms, and their seats as rows (Design 9.19)."""

from django.db import models
from django.db.models import Q

from activations.domain.words import Ability, LicenseStatus
from activations.models.catalog import Product
from activations.models.people import Customer

STATUSES = [(status.value, status.value) for status in LicenseStatus]


class License(models.Model):
    """What a customer bought. Its row is the lock under which everything about it is decided and booked."""

    license_id = models.CharField("License ID", max_length=32, unique=True)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="licenses")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="licenses")
    status = models.CharField(max_length=10, choices=STATUSES, default=LicenseStatus.ACTIVE.value)
    allowed = models.PositiveIntegerField("allowed activations")
    terms_revision = models.PositiveIntegerField(default=1)
    key_encrypted = models.BinaryField("License Key, encrypted")
    key_digest = models.CharField(
        "keyed digest of the lookup id",
        max_length=64,
        unique=True,
        help_text="HMAC-SHA256, so that a stolen table alone does not show which key is whose.",
    )
    key_serial = models.PositiveIntegerField("how many License Keys it has had", default=1)
    online = models.BooleanField(
        "online activation allowed",
        default=False,
        db_default=False,
        help_text="Connected hosts get their Usage License over the internet, where no person has to decide.",
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-id"]
        # What the roles may do hangs on the license: Django needs some model to hang permissions on.
        permissions = [(ability.value, ability.value.replace("_", " ")) for ability in Ability]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=[status.value for status in LicenseStatus]),
                name="license_status_known",
            ),
        ]

    def __str__(self) -> str:
        return self.license_id


class RetiredKey(models.Model):
    """The digest of a License Key that was replaced, so that its use is named as such and not as a typo."""

    license = models.ForeignKey(License, on_delete=models.PROTECT, related_name="retired_keys")
    key_digest = models.CharField(max_length=64, unique=True)
    retired_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"retired key of {self.license}"


class LicenseTerms(models.Model):
    """One revision of a license's terms. `features` is a list of {code, expires: YYYY-MM-DD or null}."""

    license = models.ForeignKey(License, on_delete=models.PROTECT, related_name="terms")
    revision = models.PositiveIntegerField()
    features = models.JSONField()
    version_low = models.CharField("lowest version", max_length=40, blank=True)
    version_high = models.CharField("highest version", max_length=40, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["license", "revision"]
        verbose_name_plural = "license terms"
        constraints = [
            models.UniqueConstraint(fields=["license", "revision"], name="terms_revision_once"),
        ]

    def __str__(self) -> str:
        return f"revision {self.revision}"


class Seat(models.Model):
    """One allowed activation of a license. A seat that is held cannot be deleted: the holder references it."""

    license = models.ForeignKey(License, on_delete=models.PROTECT, related_name="seats")
    number = models.PositiveIntegerField()

    class Meta:
        ordering = ["license", "number"]
        constraints = [
            models.UniqueConstraint(fields=["license", "number"], name="seat_number_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="seat_number_from_one"),
        ]

    def __str__(self) -> str:
        return f"seat {self.number}"
