"""Which columns of guarded tables may lose their content for the sake of a person, and what may stand there then.

Of a mail the digest and the date stay, of a text the row: nobody can say that it never was (docs/adr/0012).
"""

from __future__ import annotations

from django.db.models import Model

from activations.models.desk import Reply
from activations.models.mail import ConversationNote, MailSource, OutgoingMail
from activations.models.privacy import ERASED, PSEUDONYM_DOMAIN
from activations.models.requests import IntakeEntry, UsageRequest

EMPTY, MARKED, PSEUDONYM = "empty", "marked", "pseudonym"
ERASABLE: dict[type[Model], dict[str, str]] = {
    MailSource: {"sealed": EMPTY},
    Reply: {"body": MARKED},
    ConversationNote: {"text": MARKED},
    IntakeEntry: {"text": MARKED},
    UsageRequest: {"received": MARKED},
    OutgoingMail: {
        "to_address": PSEUDONYM,
        "subject": MARKED,
        "body": MARKED,
        "in_reply_to": MARKED,
        "references": MARKED,
    },
}


def booked(model: type[Model], column: str = "") -> str:
    """The SQL condition that an erasure names this row (and column)."""
    of_column = f" AND e.\"of_column\" = '{column}'" if column else ""
    return (
        'EXISTS (SELECT 1 FROM "activations_erasure" AS e WHERE '
        f'e."of_table" = \'{model._meta.model_name}\' AND e."of_row" = OLD."id"{of_column})'
    )


def wrongly_erased(model: type[Model], column: str) -> str:
    """The SQL condition that the column changes otherwise than by a booked erasure."""
    form = {
        EMPTY: f'length(NEW."{column}") = 0',
        MARKED: f"NEW.\"{column}\" = '{ERASED}'",
        PSEUDONYM: f"NEW.\"{column}\" LIKE 'contact-%@{PSEUDONYM_DOMAIN}'",
    }[ERASABLE[model][column]]
    return f'(NEW."{column}" IS DISTINCT FROM OLD."{column}" AND NOT ({form} AND {booked(model, column)}))'
