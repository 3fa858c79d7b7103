"""What was erased of kept texts and mails, by which entry of the ledger. The one way in which they may be changed."""

from django.db import models

ERASED = "[erased]"  # what stands in the place of a text
PSEUDONYM_DOMAIN = "pseudonym.invalid"  # no mail can ever go there (RFC 2606)


class Erasure(models.Model):
    """One column of one row that lost its content. The triggers let an erasable column be emptied only if such a row
    names it, and such a row in only if the portal's chain has the entry that says so.
    """

    of_table = models.CharField(max_length=40, help_text="The model's name, small letters.")
    of_row = models.PositiveBigIntegerField()
    of_column = models.CharField(max_length=40)
    digest = models.CharField(
        max_length=64,
        blank=True,
        help_text="HMAC-SHA256 of the text that stood there, so that whoever has it can have it recognised. None of "
        "what could be guessed, and of an original, whose own SHA-256 stays.",
    )
    seq = models.PositiveBigIntegerField("entry of the portal's chain")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["of_table", "of_row", "of_column"], name="erased_once"),
        ]
        indexes = [models.Index(fields=["seq"], name="erasure_seq")]

    def __str__(self) -> str:
        return f"{self.of_table} {self.of_row} {self.of_column}"
