"""Other systems that use the API: their tokens, and which of their calls were answered."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class ApiToken(models.Model):
    """What another system identifies itself with. The token itself is shown once; its SHA-256 is kept.

    `before_digest` is the token that was in use until a rotation; it is taken until `before_until`, so that both ends
    need not change at the same moment.
    """

    name = models.CharField(max_length=60, unique=True)
    prefix = models.CharField("begins with", max_length=16, unique=True)
    digest = models.CharField("SHA-256", max_length=64, unique=True)
    before_digest = models.CharField("SHA-256 of the one before", max_length=64, blank=True, db_index=True)
    before_until = models.DateTimeField("the one before is taken until", null=True, blank=True)
    scopes = models.JSONField("may")
    rate = models.PositiveIntegerField("requests a minute")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="api_tokens")
    created_at = models.DateTimeField()
    rotated_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        verbose_name = "API token"
        constraints = [
            models.CheckConstraint(condition=Q(rate__gte=1), name="token_rate_from_one"),
            models.CheckConstraint(
                condition=Q(before_digest="", before_until__isnull=True)
                | ~Q(before_digest="") & Q(before_until__isnull=False),
                name="token_before_has_an_end",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ApiCall(models.Model):
    """A call that booked something, and its answer, encrypted: sent again under the same Idempotency-Key it is answered
    from here and books nothing more.
    """

    caller = models.CharField(max_length=160, help_text="The actor: an account, or token:NAME.")
    key = models.CharField("Idempotency-Key", max_length=255)
    digest = models.CharField(max_length=64, help_text="SHA-256 of method, address and content.")
    called_at = models.DateTimeField(db_index=True)
    status = models.PositiveSmallIntegerField(default=0)
    headers = models.JSONField(default=dict)
    answer_encrypted = models.BinaryField(default=bytes)

    class Meta:
        ordering = ["-called_at", "-id"]
        verbose_name = "API call"
        constraints = [models.UniqueConstraint(fields=["caller", "key"], name="api_call_once")]

    def __str__(self) -> str:
        return f"{self.caller} {self.key}"
