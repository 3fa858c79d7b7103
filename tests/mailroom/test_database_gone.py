"""A database that is being restarted while a mail is with the mail server: nobody has to ask what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from activations.domain.words import OutgoingState
from activations.mail import sending
from activations.services import waiting
from activations.services.post import outbox
from tests.mailroom.posting import again, queued
from tests.mailroom.smtp import Catcher

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("nobody_sends_by_itself", "no_waiting"),
]


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "EVERY", 0.0)


@contextmanager
def gone(when: Callable[[str], bool], times: int, *, after: bool = False) -> Iterator[list[str]]:
    """So many statements that begin with this word fail, before or `after` the database did what they say."""
    failed: list[str] = []

    def fail(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        wanted = when(sql) and len(failed) < times
        if wanted and not after:
            failed.append(sql)
            raise OperationalError("server closed the connection unexpectedly")
        result = execute(sql, *arguments)
        if wanted:
            failed.append(sql)
            raise OperationalError("server closed the connection unexpectedly")
        return result

    with connection.execute_wrapper(fail):
        yield failed


def ends_a_mail(sql: str) -> bool:
    return sql.startswith("UPDATE") and '"sent_at"' in sql.partition("WHERE")[0]


def claims_a_mail(sql: str) -> bool:
    return sql.startswith("UPDATE") and '"attempts"' in sql.partition("WHERE")[0]


def reads_a_mail(sql: str) -> bool:
    return sql.startswith("SELECT") and "activations_outgoingmail" in sql


@pytest.mark.parametrize("after", [False, True], ids=["lost", "its answer lost"])
def test_what_the_mail_server_said_is_noted_once_the_database_is_back(smtp: Catcher, after: bool) -> None:
    mail = queued()
    with gone(ends_a_mail, 3, after=after) as failed:
        assert sending.send(mail.pk) == OutgoingState.SENT
    assert len(failed) == 3
    assert again(mail).sent_at is not None
    assert smtp.message_ids == [mail.message_id]


@pytest.mark.parametrize(("when", "after"), [(claims_a_mail, True), (reads_a_mail, False)], ids=["commit", "read"])
def test_a_claim_that_nobody_heard_of_is_given_back(smtp: Catcher, when: Callable[[str], bool], after: bool) -> None:
    """The claim is on the disk, and the process does not know it: no mail server was spoken to."""
    mail = queued()
    with gone(when, 1, after=after), pytest.raises(OperationalError):
        sending.send(mail.pk)
    assert not smtp.connections
    assert (again(mail).state, mail.attempts, mail.claim) == (OutgoingState.QUEUED, 0, "")
    assert sending.send(mail.pk) == OutgoingState.SENT


def test_it_is_not_waited_for_without_end(smtp: Catcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then a person decides, as after the death of a process."""
    monkeypatch.setattr(waiting, "LONGEST", 0.0)
    mail = queued()
    with gone(ends_a_mail, 100), pytest.raises(OperationalError):
        sending.send(mail.pk)
    assert again(mail).state == OutgoingState.SENDING


def test_inside_a_transaction_it_is_tried_once() -> None:
    tried = []

    def write() -> None:
        tried.append(True)
        raise OperationalError("gone")

    with pytest.raises(OperationalError), transaction.atomic():
        waiting.once_it_answers(write)
    assert len(tried) == 1


def test_a_mail_that_somebody_settled_meanwhile_is_left_alone() -> None:
    mail = outbox.claim(queued().pk)
    assert mail is not None
    with gone(ends_a_mail, 1, after=True):
        outbox.note_sent(mail)
    outbox.note_unknown(mail, "too late")
    assert again(mail).state == OutgoingState.SENT
