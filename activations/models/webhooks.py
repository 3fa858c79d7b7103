"""Webhooks: the receivers of other systems, and what is sent to them (docs/webhooks.md)."""

from django.db import models
from django.db.models import Q


class WebhookState(models.TextChoices):
    ACTIVE = "active", "active"
    DISABLED = "disabled", "disabled"
    REMOVED = "removed", "removed"


class DeliveryState(models.TextChoices):
    WAITING = "waiting", "waiting"
    SENDING = "sending", "sending"
    DELIVERED = "delivered", "delivered"
    DEAD = "dead", "dead"


class WebhookEndpoint(models.Model):
    """A receiver. Its secret, and the one before while that still signs too, are encrypted; removing erases both.

    `turn` is held by the one process that sends to it now, so that a receiver that hangs holds one and no more.
    `failing_since` is the first failure since something was last delivered, `failures` how many there were since.
    """

    webhook_id = models.CharField("webhook", max_length=40, unique=True)
    url = models.CharField("URL", max_length=2000)
    description = models.CharField(max_length=200, blank=True)
    events = models.JSONField()
    state = models.CharField(max_length=8, choices=WebhookState.choices, default=WebhookState.ACTIVE)
    state_why = models.CharField("why it is in this state", max_length=300, blank=True)
    secret_encrypted = models.BinaryField()
    before_encrypted = models.BinaryField(default=bytes)
    before_until = models.DateTimeField("the secret before signs until", null=True, blank=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)
    last_delivered_at = models.DateTimeField(null=True, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField("failures in a row", default=0)
    paused_until = models.DateTimeField(null=True, blank=True)
    turn = models.CharField(max_length=32, blank=True)
    turn_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name = "webhook"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=WebhookState.values), name="webhook_state_known"),
        ]

    def __str__(self) -> str:
        return self.webhook_id


class WebhookDelivery(models.Model):
    """One event for one receiver. `body` is sent as it stands here, each time; `message_id` tells doubles."""

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.PROTECT, related_name="deliveries")
    message_id = models.CharField(max_length=120)
    event = models.CharField(max_length=60)
    body = models.TextField()
    chain = models.CharField(max_length=64, blank=True)
    seq = models.BigIntegerField(null=True, blank=True)
    occurred_at = models.DateTimeField()
    queued_at = models.DateTimeField()
    queued_by = models.CharField(max_length=160)
    state = models.CharField(max_length=9, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.PositiveIntegerField(default=0, help_text="Since it was queued, or sent again by a person.")
    next_attempt_at = models.DateTimeField()
    claim = models.CharField(max_length=32, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField("delivered or given up", null=True, blank=True)
    problem = models.CharField(max_length=1000, blank=True)
    again_by = models.CharField("sent again by", max_length=160, blank=True)

    class Meta:
        ordering = ["-queued_at", "-id"]
        verbose_name = "webhook delivery"
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "message_id"], name="webhook_delivery_once"),
            models.CheckConstraint(condition=Q(state__in=DeliveryState.values), name="webhook_delivery_state_known"),
            models.CheckConstraint(
                condition=Q(state=DeliveryState.SENDING) & ~Q(claim="") & Q(claimed_at__isnull=False)
                | ~Q(state=DeliveryState.SENDING) & Q(claim=""),
                name="webhook_claimed_while_sending",
            ),
        ]
        indexes = [
            models.Index(fields=["endpoint", "state", "next_attempt_at"], name="webhook_delivery_due"),
            models.Index(fields=["state", "ended_at"], name="webhook_delivery_ended"),
        ]

    def __str__(self) -> str:
        return self.message_id


class WebhookAttempt(models.Model):
    """What a receiver answered, or why it did not. Of an answer the first KB is kept, secrets blacked out."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="tries")
    at = models.DateTimeField()
    milliseconds = models.PositiveIntegerField()
    address = models.CharField(max_length=60, blank=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    answer = models.TextField(blank=True)
    problem = models.CharField(max_length=1000, blank=True)

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name = "webhook attempt"

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.status or self.problem}"
