"""The mail of `world`: an inbox with a conversation of each kind, and mails of ours that went, failed and came back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.test.utils import override_settings

from activations.models import Contact, Conversation, IncomingMail, OutgoingMail
from activations.services.post.answers import write_reply
from activations.services.post.conversations import add_note, claim_conversation, place_conversation, rank_conversation
from activations.services.post.keeping import keep_mail
from activations.services.post.outbox import Envelope
from activations.services.post.reading import read_kept
from tests.mailroom.letters import CUSTOMER, bounce, letter
from tests.mailroom.smtp import Catcher, Mood, catching
from tests.portal.cast import AGENT, LEAD, MANAGER, license_row

STRANGER = "it@northern-paper.example"


def fill_inbox(license_id: str, texts: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """The conversations and the outgoing mails by name. `texts`: a Usage Request to book ("new"), one to update
    ("update"), one that finds no seat ("full"), and a License ID with its deactivation code ("code").
    """
    Contact.objects.create(customer=license_row(license_id).customer, name="Ada Lovelace", email=CUSTOMER)
    made = _waiting(texts) | {name: _came(f"{subject}.", subject=subject) for name, subject in _ANSWERED.items()}
    done = place_conversation(conversation_pk=made["done"], state="done", actor=AGENT)
    assert isinstance(done.conversation, Conversation)  # type: ignore[union-attr]
    moods = {"sent": Mood.TAKES, "failed": Mood.REFUSES_ADDRESS, "bounced": Mood.TAKES, "unknown": Mood.DROPS_AFTER_DOT}
    with _mail_server() as server:
        mails = {name: _answer(server, mood, made[name]) for name, mood in moods.items()}
    _came_in(bounce(mails["bounced"].message_id, CUSTOMER))
    return {"conversations": made, "mails": {name: mail.pk for name, mail in mails.items()}}


_ANSWERED = {
    "done": "Thank you",
    "sent": "When does our license end?",
    "failed": "Where do we send the code?",
    "bounced": "Which port does Chariot need?",
    "unknown": "May we move to another host?",
}


def _waiting(texts: Mapping[str, str]) -> dict[str, int]:
    """What nobody has answered: claimed and not, from a contact, a stranger and a machine; one is urgent."""
    cut = "\n".join(texts["new"].splitlines()[6:])
    made = {
        "new": _came(f"Hello,\nour new host.\n\n{texts['new']}\nAda Lovelace\n"),
        "claimed": _came(f"Please update us.\n\n{texts['update']}\n", subject="New terms for the pump house"),
        "damaged": _came(f"{cut}\n\n{texts['code']}\n", subject="Half of it, and a code"),
        "stranger": _came(
            texts["full"],
            subject="We stand still",
            sender=f'"Northern Paper Mill" <{STRANGER}>',
            Reply_To="somebody@elsewhere.example",
        ),
        "machine": _came("I am away.", subject="Absence", Auto_Submitted="auto-replied"),
    }
    for name, actor in (("claimed", AGENT), ("damaged", LEAD)):
        claim_conversation(conversation_pk=made[name], actor=actor)
    rank_conversation(conversation_pk=made["stranger"], priority=2, actor=AGENT)
    add_note(conversation_pk=made["claimed"], text="They called: it can wait until Monday.", actor=MANAGER)
    return made


def _came(body: str, **how: Any) -> int:
    return int(_came_in(letter(body, **how)).conversation_id or 0)


def _came_in(source: bytes) -> IncomingMail:
    kept = keep_mail(source, mailbox="support@portal.example")
    mail = read_kept(kept.mail.pk)
    assert mail is not None
    return mail


@contextmanager
def _mail_server() -> Iterator[Catcher]:
    with (
        catching() as server,
        override_settings(
            EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
            EMAIL_HOST="127.0.0.1",
            EMAIL_PORT=server.port,
        ),
    ):
        assert settings.CELERY_TASK_ALWAYS_EAGER, "a mail is sent when it is written"
        yield server


def _answer(server: Catcher, mood: Mood, conversation_pk: int) -> OutgoingMail:
    server.mood = mood
    sent = write_reply(
        token=f"world-{conversation_pk}",
        body="Hello,\n\nwe looked into it and will come back to you today.",
        actor=AGENT,
        envelope=Envelope(conversation_pk, CUSTOMER),
    )
    assert isinstance(sent, OutgoingMail), sent
    return sent
