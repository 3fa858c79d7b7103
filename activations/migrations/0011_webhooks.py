"""Webhooks: the receivers of other systems, what is sent to them, and what they answered."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

WEBHOOK_STATES = [("active", "active"), ("disabled", "disabled"), ("removed", "removed")]
DELIVERY_STATES = [("waiting", "waiting"), ("sending", "sending"), ("delivered", "delivered"), ("dead", "dead")]


class Migration(migrations.Migration):
    dependencies = [("activations", "0010_online")]

    operations = [
        migrations.CreateModel(
            name="WebhookEndpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("webhook_id", models.CharField(max_length=40, unique=True, verbose_name="webhook")),
                ("url", models.CharField(max_length=2000, verbose_name="URL")),
                ("description", models.CharField(blank=True, max_length=200)),
                ("events", models.JSONField()),
                ("state", models.CharField(choices=WEBHOOK_STATES, default="active", max_length=8)),
                ("state_why", models.CharField(blank=True, max_length=300, verbose_name="why it is in this state")),
                ("secret_encrypted", models.BinaryField()),
                ("before_encrypted", models.BinaryField(default=bytes)),
                ("before_until", models.DateTimeField(blank=True, null=True, verbose_name="the secret before signs until")),
                ("created_at", models.DateTimeField()),
                ("created_by", models.CharField(max_length=150)),
                ("last_delivered_at", models.DateTimeField(blank=True, null=True)),
                ("failing_since", models.DateTimeField(blank=True, null=True)),
                ("failures", models.PositiveIntegerField(default=0, verbose_name="failures in a row")),
                ("paused_until", models.DateTimeField(blank=True, null=True)),
                ("turn", models.CharField(blank=True, max_length=32)),
                ("turn_until", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "webhook",
                "ordering": ["-created_at", "-id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(("state__in", ["active", "disabled", "removed"])), name="webhook_state_known"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WebhookDelivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("message_id", models.CharField(max_length=120)),
                ("event", models.CharField(max_length=60)),
                ("body", models.TextField()),
                ("chain", models.CharField(blank=True, max_length=64)),
                ("seq", models.BigIntegerField(blank=True, null=True)),
                ("occurred_at", models.DateTimeField()),
                ("queued_at", models.DateTimeField()),
                ("queued_by", models.CharField(max_length=160)),
                ("state", models.CharField(choices=DELIVERY_STATES, default="waiting", max_length=9)),
                ("attempts", models.PositiveIntegerField(default=0, help_text="Since it was queued, or sent again by a person.")),
                ("next_attempt_at", models.DateTimeField()),
                ("claim", models.CharField(blank=True, max_length=32)),
                ("claimed_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="delivered or given up")),
                ("problem", models.CharField(blank=True, max_length=1000)),
                ("again_by", models.CharField(blank=True, max_length=160, verbose_name="sent again by")),
                ("endpoint", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="deliveries", to="activations.webhookendpoint")),
            ],
            options={
                "verbose_name": "webhook delivery",
                "verbose_name_plural": "webhook deliveries",
                "ordering": ["-queued_at", "-id"],
                "indexes": [
                    models.Index(fields=["endpoint", "state", "next_attempt_at"], name="webhook_delivery_due"),
                    models.Index(fields=["state", "ended_at"], name="webhook_delivery_ended"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("endpoint", "message_id"), name="webhook_delivery_once"),
                    models.CheckConstraint(
                        condition=Q(("state__in", ["waiting", "sending", "delivered", "dead"])),
                        name="webhook_delivery_state_known",
                    ),
                    models.CheckConstraint(
                        condition=Q(
                            Q(("state", "sending"), Q(("claim", ""), _negated=True), ("claimed_at__isnull", False)),
                            Q(Q(("state", "sending"), _negated=True), ("claim", "")),
                            _connector="OR",
                        ),
                        name="webhook_claimed_while_sending",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WebhookAttempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("milliseconds", models.PositiveIntegerField()),
                ("address", models.CharField(blank=True, max_length=60)),
                ("status", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("answer", models.TextField(blank=True)),
                ("problem", models.CharField(blank=True, max_length=1000)),
                ("delivery", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="tries", to="activations.webhookdelivery")),
            ],
            options={
                "verbose_name": "webhook attempt",
                "ordering": ["-at", "-id"],
            },
        ),
    ]
