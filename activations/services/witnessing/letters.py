"""A mail as a witness: the newest checkpoint once a day, and the hashes of the entries since the mail before it."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from textwrap import fill

from activations.domain.checkpoint import read_note
from activations.domain.words import OutgoingState
from activations.models import LedgerCheckpoint, OutgoingMail, WitnessReceipt
from activations.services.booking import iso
from activations.services.post.outbox import Letter, queue
from activations.services.proofs import hash_lines
from activations.services.tiles import leaf_hashes
from activations.services.witnessing.keys import key_of
from activations.services.witnessing.outcomes import Kept

FORMAT = "chariot-ledger-leaves-1"
EVERY = timedelta(hours=23)  # once a day, though a job may come a little early
MOST_LEAVES = 100_000  # of one mail, about 4.5 MB; the next goes on from there
COLUMNS = 72  # of the mail's text, so that no mail program breaks its lines again
LOST = (OutgoingState.FAILED, OutgoingState.BOUNCED, OutgoingState.DROPPED)
BY = "automatic"


def is_due(witness: str, now: datetime) -> bool:
    last = WitnessReceipt.objects.filter(witness=witness).order_by("-size").first()
    return last is None or last.at <= now - EVERY


def write(witness: str, address: str, checkpoint: LedgerCheckpoint) -> Kept:
    """Puts the mail into the outbox, in the caller's transaction."""
    start = _leaves_there(witness)
    end = min(checkpoint.size, start + MOST_LEAVES)
    name = hashlib.sha256(address.encode()).hexdigest()[:16]
    letter = Letter(
        key=f"witness:{name}:{checkpoint.size}",
        subject=f"Ledger checkpoint {checkpoint.size} of {_origin(checkpoint)}: please keep this mail",
        body=_body(checkpoint, start, end),
        attachment=_attachment(checkpoint, start, end),
        attachment_name=f"ledger-leaves-{start}-{end}.txt",
    )
    mail = queue(letter, to=address, by=BY, conversation=None)
    return Kept(answer=mail.key, leaves=end)


def _leaves_there(witness: str) -> int:
    """How many leaf hashes went out with mails that were not lost on the way."""
    for receipt in WitnessReceipt.objects.filter(witness=witness).order_by("-size")[:100]:
        if not OutgoingMail.objects.filter(key=receipt.answer, state__in=LOST).exists():
            return receipt.leaves
    return 0


def _origin(checkpoint: LedgerCheckpoint) -> str:
    return read_note(checkpoint.note)[0].origin


def _attachment(checkpoint: LedgerCheckpoint, start: int, end: int) -> str:
    """From which leaf up to but without which, their hashes one a line, an empty line, the checkpoint."""
    return f"{FORMAT} {start} {end}\n{hash_lines(leaf_hashes(start, end))}\n{checkpoint.note}"


def _body(checkpoint: LedgerCheckpoint, start: int, end: int) -> str:
    origin, size, made_at = _origin(checkpoint), checkpoint.size, iso(checkpoint.created_at)
    later = f"The hashes of entries {end + 1} to {size} come with the next mails." if end < size else ""
    key = key_of(checkpoint)
    paragraphs = [
        f"This mail makes you a witness of the ledger {origin}.",
        "Please keep it, with the file attached to it, where the people who run the portal cannot reach it. You need "
        "not answer, and there is nothing to do today.",
        f"At {made_at} the ledger had {size} entries. The lines at the end, its checkpoint, stand for all of them. If "
        "an entry before that is ever changed, removed, added or moved, the ledger no longer fits this checkpoint, and "
        f"nobody can make it fit again. The attached file holds the hashes of entries {start + 1} to {end}; with them "
        f"the entry itself can be named. {later}",
        "To check the ledger against what you kept, ask the portal's administrators for an export and run the line "
        "below, where FILE is the attached file as it came.",
    ]
    command = "    chariot-ledger-verify EXPORT --kept FILE" + (f" --key {key}" if key else "")
    text = "\n\n".join(
        fill(paragraph, COLUMNS, break_long_words=False, break_on_hyphens=False) for paragraph in paragraphs
    )
    return f"{text}\n\n{command}\n\n{checkpoint.note}"
