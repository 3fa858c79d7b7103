"""The append-only ledger, its chains, and the checkpoints over all of it (Design 5)."""

from django.db import models
from django.db.models import Q


class LedgerChain(models.Model):
    """The head of one chain. Its row is the lock under which the next entry of that chain is written."""

    name = models.CharField(max_length=32, primary_key=True)
    length = models.PositiveBigIntegerField(default=0)
    head = models.CharField(max_length=64)
    latest_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class LedgerEntry(models.Model):
    """One entry. Triggers refuse UPDATE, DELETE, TRUNCATE, and an INSERT that does not follow its chain."""

    chain = models.CharField(max_length=32)
    seq = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    kind = models.CharField(max_length=40)
    reason = models.TextField(blank=True)
    source = models.CharField(max_length=80, blank=True)
    prev = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    body = models.TextField("canonical JSON that is hashed")

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "ledger entries"
        constraints = [
            models.UniqueConstraint(fields=["chain", "seq"], name="ledger_sequence_once"),
            models.UniqueConstraint(fields=["hash"], name="ledger_hash_once"),
            models.CheckConstraint(condition=Q(seq__gte=1), name="ledger_sequence_from_one"),
        ]
        indexes = [
            models.Index(fields=["at"], name="ledger_at"),
            models.Index(fields=["kind", "at"], name="ledger_kind_at"),
            models.Index(fields=["actor", "at"], name="ledger_actor_at"),
        ]

    def __str__(self) -> str:
        return f"{self.chain} {self.seq}"


class LedgerLeaf(models.Model):
    """The place of an entry in the Merkle tree; given once, by the checkpoint job, in commit order."""

    index = models.PositiveBigIntegerField(primary_key=True)
    entry = models.OneToOneField(LedgerEntry, on_delete=models.PROTECT, related_name="leaf")

    def __str__(self) -> str:
        return f"leaf {self.index}"


class LedgerUncovered(models.Model):
    """The mark of an entry that has no leaf yet, by its hash. A trigger writes it with the entry, whoever writes that;
    the checkpoint that gives the leaf takes it away. So what is new is found without looking through what is old.
    """

    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "marks of uncovered entries"
        constraints = [models.UniqueConstraint(fields=["hash"], name="ledger_uncovered_once")]

    def __str__(self) -> str:
        return f"entry {self.hash} has no leaf"


class LedgerTile(models.Model):
    """256 consecutive hashes of the Merkle tree (C2SP tlog-tiles, height 8), written once they are all there.

    Level 0 holds leaf hashes, each level above the roots of full tiles of the level below. Partial tiles are computed.
    """

    level = models.PositiveSmallIntegerField()
    index = models.PositiveBigIntegerField()
    hashes = models.BinaryField("256 hashes of 32 bytes, one behind the other")
    root = models.BinaryField("the root over them")

    class Meta:
        ordering = ["level", "index"]
        constraints = [models.UniqueConstraint(fields=["level", "index"], name="ledger_tile_once")]

    def __str__(self) -> str:
        return f"tile {self.level}/{self.index}"


class LedgerCheckpoint(models.Model):
    """A signed tree head (C2SP tlog-checkpoint) and the compact range it grew from."""

    size = models.PositiveBigIntegerField()
    root = models.CharField(max_length=64)
    subtrees = models.JSONField("roots of the perfect subtrees, hex")
    note = models.TextField("signed note")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-size"]
        constraints = [models.UniqueConstraint(fields=["size"], name="one_checkpoint_per_size")]

    def __str__(self) -> str:
        return f"checkpoint {self.size}"


class WitnessReceipt(models.Model):
    """A checkpoint that a witness has: what we sent it, and what it answered. See `domain.witnesses` for its name."""

    witness = models.CharField(max_length=500)
    size = models.PositiveBigIntegerField("entries that the checkpoint covers")
    leaves = models.PositiveBigIntegerField("leaf hashes that the witness has, from the first on", default=0)
    at = models.DateTimeField()
    answer = models.TextField("cosignature lines, or the mail's key", blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["witness", "size"], name="one_receipt_per_checkpoint")]

    def __str__(self) -> str:
        return f"{self.witness} has checkpoint {self.size}"


class WitnessState(models.Model):
    """How sending to a witness stands: when it is tried again, and what is wrong, in words, while something is.

    `contradicts`: it holds something that our ledger does not continue, or says so.
    """

    witness = models.CharField(max_length=500, unique=True)
    attempts = models.PositiveIntegerField("failed ones since the last that went well", default=0)
    next_attempt_at = models.DateTimeField()
    problem = models.TextField(blank=True)
    contradicts = models.BooleanField(default=False)
    since = models.DateTimeField("when the problem began", null=True)

    def __str__(self) -> str:
        return f"{self.witness}: {self.problem or 'well'}"
