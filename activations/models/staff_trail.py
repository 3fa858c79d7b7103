"""What staff did around the bookings: sign-ins, roles, keys shown, lists taken out, settings. For auditors."""

from django.db import models
from django.db.models import Q


class StaffEvent(models.Model):
    """One event. Triggers refuse UPDATE, DELETE and TRUNCATE. `chain` and `seq` name the ledger entry that tells the
    same, if there is one.
    """

    at = models.DateTimeField()
    actor = models.CharField(max_length=150, help_text="An account, command-line, or what stands for unknown names.")
    kind = models.CharField(max_length=40)  # StaffKind, or Kind where the ledger tells it too
    subject = models.CharField(max_length=200, help_text="Whom or what it is about.")
    details = models.JSONField(default=dict, help_text="The particulars; never a secret.")
    address = models.CharField(max_length=45, blank=True, help_text="The client's IP address; none: by command.")
    agent = models.CharField("browser", max_length=120, blank=True, help_text="As it calls itself, shortened.")
    chain = models.CharField(max_length=32, blank=True)
    seq = models.PositiveBigIntegerField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["chain", "seq"], condition=Q(seq__isnull=False), name="staff_event_once_per_entry"
            ),
            models.CheckConstraint(
                condition=Q(chain="", seq__isnull=True) | ~Q(chain="") & Q(seq__gte=1),
                name="staff_event_names_whole_entry",
            ),
        ]
        indexes = [
            models.Index(fields=["actor", "at"], name="staff_event_actor"),
            models.Index(fields=["kind", "at"], name="staff_event_kind"),
            models.Index(fields=["at"], name="staff_event_at"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class FailedSignIns(models.Model):
    """How often a sign-in failed within one minute, until the minute is over and a `StaffEvent` says it for good."""

    minute = models.DateTimeField()
    account = models.CharField(max_length=150)
    address = models.CharField(max_length=45, blank=True)
    tries = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name_plural = "failed sign-ins"
        constraints = [
            models.UniqueConstraint(fields=["minute", "account", "address"], name="failed_sign_ins_once"),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.tries}"
