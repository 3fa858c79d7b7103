"""What the desk keeps beside the bookings: the replies to customers, the papers of a case, lists one likes to see, and
which forms were sent.
"""

from django.conf import settings
from django.db import models

from activations.models.activations import Activation, Restoration
from activations.models.licenses import License
from activations.models.requests import UsageRequest


class ReplyText(models.Model):
    """One version of the text that goes to customers for one outcome. The newest counts; none: the text we ship."""

    kind = models.CharField("reply", max_length=40)
    version = models.PositiveIntegerField()
    body = models.TextField("text")
    reason = models.TextField("why it was changed", blank=True)
    written_at = models.DateTimeField()
    written_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["kind", "-version"]
        constraints = [models.UniqueConstraint(fields=["kind", "version"], name="reply_text_version_once")]

    def __str__(self) -> str:
        return f"{self.kind}, version {self.version}"


class Reply(models.Model):
    """A reply exactly as it was handed to the person who sends it, with what it answers."""

    kind = models.CharField("reply", max_length=40)
    text_version = models.PositiveIntegerField(help_text="Of the reply text; 0 is the text we ship.")
    body = models.TextField("text as written")
    license = models.ForeignKey(License, on_delete=models.PROTECT, null=True, related_name="replies")
    request = models.ForeignKey(UsageRequest, on_delete=models.PROTECT, null=True, related_name="replies")
    activation = models.ForeignKey(Activation, on_delete=models.PROTECT, null=True, related_name="replies")
    restoration = models.ForeignKey(Restoration, on_delete=models.PROTECT, null=True, related_name="replies")
    written_at = models.DateTimeField()
    written_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["-written_at", "-id"]
        verbose_name_plural = "replies"

    def __str__(self) -> str:
        return f"{self.kind} of {self.written_at:%Y-%m-%d %H:%M}"


class Evidence(models.Model):
    """A file that belongs to a restoration case: a photo, a police report, the customer's email."""

    restoration = models.ForeignKey(Restoration, on_delete=models.PROTECT, related_name="evidence")
    name = models.CharField("file name", max_length=200)
    media_type = models.CharField(max_length=100)
    content = models.BinaryField()
    size = models.PositiveIntegerField("bytes")
    sha256 = models.CharField(max_length=64)
    added_at = models.DateTimeField()
    added_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["added_at", "id"]
        verbose_name_plural = "evidence"
        constraints = [models.UniqueConstraint(fields=["restoration", "sha256"], name="evidence_once_per_case")]

    def __str__(self) -> str:
        return self.name


class SentForm(models.Model):
    """A form that was sent and what was booked by it, so that a second click on its button books nothing more."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sent_forms")
    token = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, help_text="SHA-256 of what was sent: button, choice, reason and the rest.")
    sent_at = models.DateTimeField(db_index=True)
    booked = models.TextField(blank=True, help_text="What the first click booked, in words.")
    page = models.CharField(max_length=300, blank=True, help_text="Where it is shown.")

    class Meta:
        ordering = ["-sent_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["user", "token"], name="form_sent_once")]

    def __str__(self) -> str:
        return f"form sent at {self.sent_at:%Y-%m-%d %H:%M}"


class SavedFilter(models.Model):
    """A list as one member of staff likes to see it: the address after the question mark, under a name."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_filters")
    page = models.CharField(max_length=60)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000)

    class Meta:
        ordering = ["page", "name"]
        constraints = [models.UniqueConstraint(fields=["owner", "page", "name"], name="saved_filter_name_once")]

    def __str__(self) -> str:
        return self.name
