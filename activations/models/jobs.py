"""Work that a person asked for and does not wait for: a check of the whole ledger, a large export."""

from django.db import models
from django.db.models import Q

from activations.domain.words import JobState

OPEN = (JobState.QUEUED, JobState.RUNNING)


class Job(models.Model):
    """One piece of work. `claim` names the process that has it, `beat_at` when that process was last heard of: a job
    whose process died is begun again from the start.
    """

    kind = models.CharField(max_length=30)
    state = models.CharField(max_length=10, choices=[(s.value, s.value) for s in JobState], default=JobState.QUEUED)
    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    asked_for = models.JSONField(default=dict, help_text="What exactly, as the kind of job reads it.")
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(null=True, help_text="Unknown until the job has looked.")
    attempts = models.PositiveSmallIntegerField(default=0)
    claim = models.CharField(max_length=32, blank=True)
    started_at = models.DateTimeField(null=True)
    beat_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    result = models.JSONField(default=dict)
    problem = models.TextField(blank=True)

    class Meta:
        ordering = ["-asked_at", "-id"]
        indexes = [models.Index(fields=["state", "asked_at"], name="job_waiting")]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=[state.value for state in JobState]), name="job_state_known"),
            models.CheckConstraint(
                condition=Q(state=JobState.RUNNING, started_at__isnull=False, beat_at__isnull=False) & ~Q(claim="")
                | ~Q(state=JobState.RUNNING),
                name="running_job_is_claimed",
            ),
            # Asked for by several people at once, the ledger is still checked once.
            models.UniqueConstraint(
                fields=["kind"], condition=Q(kind="ledger-check", state__in=OPEN), name="one_open_ledger_check"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} for {self.asked_by}"


class JobPart(models.Model):
    """A piece of the file a job made, in order; they go with the job when nobody fetches it any more."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        ordering = ["job", "number"]
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="job_part_once")]

    def __str__(self) -> str:
        return f"part {self.number}"
