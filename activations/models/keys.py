"""Signing keys and their certificates, and the portal's own secrets; private parts are encrypted."""

from django.db import models
from django.db.models import Q


class KeyPurpose(models.TextChoices):
    ROOT = "root", "vendor root"
    USAGE_LICENSE = "usage-license", "signs Usage Licenses"
    CHECKPOINT = "checkpoint", "signs ledger checkpoints"


class SigningKey(models.Model):
    purpose = models.CharField(max_length=20, choices=KeyPurpose.choices)
    name = models.CharField(max_length=100)
    serial = models.CharField("certificate serial, hex", max_length=40, unique=True)
    certificate = models.BinaryField("certificate, DER")
    private_encrypted = models.BinaryField("private key, encrypted", null=True)
    current = models.BooleanField(default=True)
    not_after = models.DateTimeField("valid until")
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["purpose"],
                condition=Q(current=True) & ~Q(purpose=KeyPurpose.ROOT.value),
                name="one_current_key_per_purpose",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.serial})"


class PortalSecret(models.Model):
    """A random secret of the portal, made on first use and encrypted under the key-encryption key."""

    name = models.CharField(max_length=40, unique=True)
    value_encrypted = models.BinaryField()

    def __str__(self) -> str:
        return self.name
