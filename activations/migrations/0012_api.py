"""Tokens of other systems, and the calls of the API that were answered."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("activations", "0011_webhooks"),
    ]

    operations = [
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=60, unique=True)),
                ("prefix", models.CharField(max_length=16, unique=True, verbose_name="begins with")),
                ("digest", models.CharField(max_length=64, unique=True, verbose_name="SHA-256")),
                ("before_digest", models.CharField(blank=True, db_index=True, max_length=64, verbose_name="SHA-256 of the one before")),
                ("before_until", models.DateTimeField(blank=True, null=True, verbose_name="the one before is taken until")),
                ("scopes", models.JSONField(verbose_name="may")),
                ("rate", models.PositiveIntegerField(verbose_name="requests a minute")),
                ("created_at", models.DateTimeField()),
                ("rotated_at", models.DateTimeField(blank=True, null=True)),
                ("expires_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("last_used_at", models.DateTimeField(blank=True, null=True)),
                ("owner", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="api_tokens", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "verbose_name": "API token",
                "ordering": ["name"],
                "constraints": [
                    models.CheckConstraint(condition=Q(("rate__gte", 1)), name="token_rate_from_one"),
                    models.CheckConstraint(
                        condition=Q(
                            Q(("before_digest", ""), ("before_until__isnull", True)),
                            Q(Q(("before_digest", ""), _negated=True), ("before_until__isnull", False)),
                            _connector="OR",
                        ),
                        name="token_before_has_an_end",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ApiCall",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("caller", models.CharField(help_text="The actor: an account, or token:NAME.", max_length=160)),
                ("key", models.CharField(max_length=255, verbose_name="Idempotency-Key")),
                ("digest", models.CharField(help_text="SHA-256 of method, address and content.", max_length=64)),
                ("called_at", models.DateTimeField(db_index=True)),
                ("status", models.PositiveSmallIntegerField(default=0)),
                ("headers", models.JSONField(default=dict)),
                ("answer_encrypted", models.BinaryField(default=bytes)),
            ],
            options={
                "verbose_name": "API call",
                "ordering": ["-called_at", "-id"],
                "constraints": [models.UniqueConstraint(fields=("caller", "key"), name="api_call_once")],
            },
        ),
    ]
