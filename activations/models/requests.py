"""Chariots as we know them, the Usage Requests they made, and what could not be authenticated."""

from django.db import models
from django.db.models import Q

from activations.domain.words import RequestState
from activations.models.licenses import License

REQUEST_STATES = [(state.value, state.value) for state in RequestState]


class Instance(models.Model):
    """One Chariot installation, known by the thumbprint of its key. Global: it may ask under several licenses."""

    thumbprint = models.CharField(max_length=64, unique=True)  # RFC 9679, hex
    public_key = models.BinaryField()  # raw Ed25519, 32 bytes
    epoch = models.PositiveIntegerField(
        default=1, help_text="Grows when a lead accepts that the host was restored from a backup."
    )
    first_seen = models.DateTimeField()

    def __str__(self) -> str:
        return self.thumbprint[:16]


class UsageRequest(models.Model):
    """A Usage Request that proved possession of its License Key: exactly as received, and what became of it."""

    request_id = models.CharField(max_length=32, unique=True)  # cti, hex
    license = models.ForeignKey(License, on_delete=models.PROTECT, related_name="requests")
    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="requests")
    counter = models.PositiveBigIntegerField()
    epoch = models.PositiveIntegerField()
    in_line = models.BooleanField(
        help_text="Its counter was ahead of all seen before it; false for a clone's until a lead accepts it."
    )
    text = models.TextField("the text block, repaired")
    received = models.TextField("text as received", help_text="The whole mail or paste; License Keys are blacked out.")
    payload = models.BinaryField("bytes as received")
    sha256 = models.CharField(max_length=64)
    previous = models.CharField(max_length=32, blank=True)  # digest of the installed Usage License, hex
    commitment = models.CharField(max_length=64)
    fingerprint = models.JSONField()
    container = models.CharField(max_length=40, blank=True)
    virtual = models.CharField(max_length=40, blank=True)
    hostname = models.CharField(max_length=64, blank=True)
    version = models.CharField(max_length=40)
    made_at = models.DateTimeField("made, by the host's clock")
    test = models.BooleanField(default=False)
    received_at = models.DateTimeField()
    received_by = models.CharField(max_length=150)
    state = models.CharField(max_length=10, choices=REQUEST_STATES)
    code = models.CharField("decision", max_length=40)
    refusal = models.TextField("why a person declined it", blank=True)

    class Meta:
        ordering = ["-received_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["instance", "epoch", "counter"],
                condition=Q(in_line=True),
                name="request_counter_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in RequestState]), name="request_state_known"
            ),
        ]

    def __str__(self) -> str:
        return self.request_id


class IntakeEntry(models.Model):
    """Text that was submitted but proved nothing: kept so that support can see what a customer sent (Design 3)."""

    received_at = models.DateTimeField()
    received_by = models.CharField(max_length=150)
    text = models.TextField()
    code = models.CharField(max_length=60)
    message = models.TextField()
    license = models.ForeignKey(License, on_delete=models.PROTECT, null=True, blank=True, related_name="intake")

    class Meta:
        ordering = ["-received_at", "-id"]
        verbose_name_plural = "intake log"

    def __str__(self) -> str:
        return self.code
