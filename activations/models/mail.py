"""Mail: what came in, the conversation it belongs to, and what goes out.

A customer's mail is stored before anything is read out of it, encrypted, because people paste their License Keys into
mails; what pages show is the text with secrets blacked out.
"""

from django.db import models
from django.db.models import F, Q

from activations.domain.words import ConversationState, IncomingState, OutgoingState, Priority
from activations.models.desk import Reply
from activations.models.licenses import License
from activations.models.people import Customer


class Mailbox(models.Model):
    """How far one mailbox has been fetched, and how that went the last time. Its address is in the settings."""

    name = models.CharField(max_length=200, unique=True, help_text="user@host/folder, never with its password")
    uid_validity = models.PositiveBigIntegerField(null=True, help_text="RFC 3501: when it changes, UIDs begin anew.")
    last_uid = models.PositiveBigIntegerField(default=0)
    tried_at = models.DateTimeField(null=True)
    reached_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "mailboxes"

    def __str__(self) -> str:
        return self.name


class Conversation(models.Model):
    """The mails that answer one another, with the member of staff who answers them."""

    token = models.CharField(max_length=8, unique=True, help_text="Stands in our subjects as [CL-...].")
    subject = models.CharField(max_length=300, blank=True)
    state = models.CharField(
        max_length=10, choices=[(s.value, s.value) for s in ConversationState], default=ConversationState.OPEN
    )
    priority = models.SmallIntegerField(choices=[(p.value, p.name.lower()) for p in Priority], default=Priority.NORMAL)
    assigned_to = models.CharField(max_length=150, blank=True)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, null=True, related_name="conversations")
    license = models.ForeignKey(License, on_delete=models.PROTECT, null=True, related_name="conversations")
    proved = models.BooleanField(default=False, help_text="A Usage Request named the customer, not an address.")
    created_at = models.DateTimeField()
    latest_at = models.DateTimeField(help_text="When the last mail came or went.")
    waits_since = models.DateTimeField(null=True, help_text="The oldest mail from outside that nobody answered.")

    class Meta:
        ordering = ["-latest_at", "-id"]
        indexes = [
            models.Index(fields=["state", "assigned_to", "-latest_at"], name="conversation_inbox"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in ConversationState]), name="conversation_state_known"
            ),
        ]

    def __str__(self) -> str:
        return self.subject or f"[CL-{self.token}]"


class MailSource(models.Model):
    """The mail itself, byte for byte as the server gave it, compressed and encrypted (`vault`)."""

    sealed = models.BinaryField()
    size = models.PositiveIntegerField("bytes")
    sha256 = models.CharField(max_length=64)

    def __str__(self) -> str:
        return self.sha256[:16]


class IncomingMail(models.Model):
    """A mail from outside. `content_digest` is over what its sender made: one mail in two mailboxes is one."""

    content_digest = models.CharField(max_length=64, unique=True)
    source = models.OneToOneField(MailSource, on_delete=models.PROTECT, related_name="mail")
    mailbox = models.CharField(max_length=200, help_text="Where it was fetched from; or who brought it to the desk.")
    fetched_at = models.DateTimeField()
    state = models.CharField(
        max_length=10, choices=[(s.value, s.value) for s in IncomingState], default=IncomingState.STORED
    )
    readings = models.PositiveSmallIntegerField(default=0, help_text="How often reading it was begun.")
    begun_at = models.DateTimeField(null=True, help_text="When reading it was begun the last time.")
    conversation = models.ForeignKey(Conversation, on_delete=models.PROTECT, null=True, related_name="incoming")
    message_id = models.CharField(max_length=250, blank=True, db_index=True)
    in_reply_to = models.CharField(max_length=250, blank=True, db_index=True)
    from_name = models.CharField(max_length=200, blank=True)
    from_address = models.CharField(max_length=254, blank=True)
    reply_address = models.CharField(max_length=254, blank=True, help_text="Where an answer goes by its Reply-To.")
    subject = models.CharField(max_length=300, blank=True)
    sent_at = models.DateTimeField(null=True, help_text="By the sender's clock.")
    text = models.TextField(blank=True)
    own_text = models.TextField(blank=True, help_text="Without the mails that it quotes.")
    automatic = models.BooleanField(default=False, help_text="A machine wrote it; no machine may answer it.")
    checks = models.JSONField(default=list, help_text="SPF, DKIM and DMARC as the receiving server found them.")
    attachments = models.JSONField(default=list, help_text="Name, media type, size and note of each.")
    problems = models.JSONField(default=list, help_text="What could not be read, in sentences.")

    class Meta:
        ordering = ["fetched_at", "id"]
        indexes = [models.Index(fields=["state", "id"], name="incoming_mail_state")]
        constraints = [
            models.CheckConstraint(
                condition=Q(conversation__isnull=False) | Q(state=IncomingState.STORED),
                name="read_mail_has_conversation",
            ),
        ]

    def __str__(self) -> str:
        return self.subject or "(no subject)"


class Finding(models.Model):
    """Something in a mail that the desk can act on, with what the dry run said when the mail was read."""

    mail = models.ForeignKey(IncomingMail, on_delete=models.CASCADE, related_name="findings")
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=20)  # FindingKind
    request_id = models.CharField(max_length=32, blank=True)
    license = models.ForeignKey(License, on_delete=models.PROTECT, null=True, related_name="findings")
    hostname = models.CharField(max_length=64, blank=True)
    outcome = models.CharField(max_length=20, blank=True)
    code = models.CharField(max_length=60, blank=True)
    sentence = models.TextField(blank=True)
    text = models.TextField(blank=True, help_text="The block, repaired; never a code or a key.")
    lines = models.JSONField(default=list, help_text="Of a damaged block: the lines to ask for.")

    class Meta:
        ordering = ["mail", "position"]
        constraints = [models.UniqueConstraint(fields=["mail", "position"], name="finding_position_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.request_id}".strip()


class ConversationNote(models.Model):
    """What one colleague tells the others; no customer sees it."""

    conversation = models.ForeignKey(Conversation, on_delete=models.PROTECT, related_name="notes")
    text = models.TextField()
    written_at = models.DateTimeField()
    written_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["written_at", "id"]

    def __str__(self) -> str:
        return self.text[:60]


class OutgoingMail(models.Model):
    """A mail that goes out, written in the transaction of what it tells: the outbox.

    `key` names what it is about, so that the same thing cannot be queued twice. `claim` is set before the server is
    spoken to and told after: a mail whose sender died between the two is `unknown`, and a person decides.
    """

    key = models.CharField(max_length=120, unique=True)
    message_id = models.CharField(max_length=250, unique=True)
    conversation = models.ForeignKey(Conversation, on_delete=models.PROTECT, null=True, related_name="outgoing")
    reply = models.ForeignKey(Reply, on_delete=models.PROTECT, null=True, related_name="mails")
    license = models.ForeignKey(License, on_delete=models.PROTECT, null=True, related_name="mails")
    again = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="sent_again")
    to_address = models.EmailField()
    subject = models.CharField(max_length=300)
    body = models.TextField()
    attachment = models.TextField(blank=True, help_text="The Usage License, as a text file.")
    attachment_name = models.CharField(max_length=80, blank=True)
    in_reply_to = models.CharField(max_length=250, blank=True)
    references = models.TextField(blank=True, help_text="Message-IDs, one a line, oldest first.")
    queued_at = models.DateTimeField()
    queued_by = models.CharField(max_length=150)
    state = models.CharField(
        max_length=10, choices=[(s.value, s.value) for s in OutgoingState], default=OutgoingState.QUEUED
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    claim = models.CharField(max_length=32, blank=True)
    claimed_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)
    settled_by = models.CharField(max_length=150, blank=True, help_text="Who decided what became of an unknown one.")

    class Meta:
        ordering = ["-queued_at", "-id"]
        indexes = [models.Index(fields=["state", "next_attempt_at"], name="outgoing_mail_due")]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in OutgoingState]), name="outgoing_state_known"
            ),
            models.CheckConstraint(
                condition=Q(state=OutgoingState.SENDING, claimed_at__isnull=False) & ~Q(claim="")
                | ~Q(state=OutgoingState.SENDING),
                name="sending_mail_is_claimed",
            ),
            models.CheckConstraint(condition=~Q(again=F("id")), name="mail_not_again_itself"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} to {self.to_address}"


class AutomaticAnswer(models.Model):
    """That one outcome may be answered without a person; for one customer, or (none named) for all."""

    outcome = models.CharField(max_length=20)  # AutomaticOutcome
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, null=True, blank=True, related_name="automatic")
    allowed = models.BooleanField(default=True, help_text="Of one customer: no overrides a yes for all.")
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["outcome", "customer__name"]
        constraints = [
            models.UniqueConstraint(fields=["outcome", "customer"], name="automatic_answer_once"),
            models.UniqueConstraint(
                fields=["outcome"], condition=Q(customer__isnull=True), name="automatic_answer_for_all_once"
            ),
        ]

    def __str__(self) -> str:
        return self.outcome
