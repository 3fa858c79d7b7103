"""Fetching where a server or a mailbox is not as one would like: moved, made anew, marked as deleted, or odd."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from activations import tasks
from activations.mail import fetching
from activations.models import IncomingMail, Mailbox
from activations.services.post.signals import mail_to_read
from tests.mailroom.imap import ImapServer
from tests.mailroom.letters import letter
from tests.mailroom.odd_imap import literal, odd_server
from tests.mailroom.test_fetching import box, sources

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_reads() -> Iterator[None]:
    mail_to_read.disconnect(tasks._read_soon)
    yield
    mail_to_read.connect(tasks._read_soon)


def test_a_mailbox_that_begins_anew_under_the_same_validity_is_noticed(imap_server: ImapServer) -> None:
    """As after a move to a server that calls every folder's UIDVALIDITY 1: what was fetched has UIDs up to 500."""
    first, second = letter("first\n"), letter("second\n")
    imap_server.deliver(first)
    assert fetching.fetch(imap_server.address) == 1
    Mailbox.objects.update(last_uid=500)
    imap_server.deliver(second)

    assert fetching.fetch(imap_server.address) == 1
    assert sources() == [first, second]
    assert box(imap_server).last_uid == 2
    assert fetching.fetch(imap_server.address) == 0


def test_the_newest_mail_deleted_is_no_new_beginning(imap_server: ImapServer, caplog: pytest.LogCaptureFixture) -> None:
    imap_server.deliver(letter("first\n"), letter("second\n"))
    assert fetching.fetch(imap_server.address) == 2
    imap_server.delete(2)
    imap_server.delete(1)
    assert fetching.fetch(imap_server.address) == 0
    assert box(imap_server).last_uid == 2
    assert "begins anew" not in caplog.text


def test_known_mails_do_not_use_up_the_run(imap_server: ImapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mailbox that moved has years of known mails before the new one, which must not wait hours for its turn."""
    monkeypatch.setattr(fetching, "MOST_AT_ONCE", 2)
    old = [letter(f"{number}\n") for number in range(5)]
    imap_server.deliver(*old)
    assert [fetching.fetch(imap_server.address) for _ in range(3)] == [2, 2, 1]
    moved = imap_server.another_user()
    moved.deliver(*old, letter("new\n"))
    assert fetching.fetch(moved.address) == 1
    assert box(moved).last_uid == 6


def test_a_mail_that_is_marked_as_deleted_is_fetched_all_the_same(imap_server: ImapServer) -> None:
    """Whoever marked it may have done so by mistake; what was thrown away for good is gone."""
    imap_server.deliver(letter("marked\n"))
    with imap_server.connected() as client:
        client.select(imap_server.folder)
        client.uid("store", "1", "+FLAGS", r"(\Deleted)")
        client.unselect()
    assert fetching.fetch(imap_server.address) == 1


def test_a_mail_that_moved_out_and_back_is_on_the_desk_once(imap_server: ImapServer) -> None:
    imap_server.deliver(letter("moved\n"))
    assert fetching.fetch(imap_server.address) == 1
    with imap_server.connected() as client:
        client.create("Elsewhere")
        for here, there in ((imap_server.folder, "Elsewhere"), ("Elsewhere", imap_server.folder)):
            client.select(here)
            client.uid("copy", "1", there)
            client.uid("store", "1", "+FLAGS", r"(\Deleted)")
            client.expunge()
    assert fetching.fetch(imap_server.address) == 0
    assert (IncomingMail.objects.count(), box(imap_server).last_uid) == (1, 2)


OPENED = ["* 2 EXISTS", "* OK [UIDVALIDITY 7] ok", "* OK [UIDNEXT 3] ok", "OK [READ-ONLY] done"]
MAIL = letter("readable\n")


def says(command: str, first: list[str]) -> list[str]:
    """Two mails; `first` is the answer to a fetch of the first one's content."""
    verb = command.upper()
    if verb.startswith("EXAMINE"):
        return OPENED
    if verb.startswith("UID SEARCH"):
        assert "CHARSET" not in verb
        return ["* SEARCH 1" if " 1" in verb and ":" not in verb else "* SEARCH 1 2", "OK done"]
    uid = 1 if verb.startswith("UID FETCH 1 ") else 2
    if "RFC822.SIZE" in verb:
        return [f"* {uid} FETCH (UID {uid} RFC822.SIZE {len(MAIL)})", "OK done"]
    if uid == 1:
        return first
    return [literal("* 2 FETCH (UID 2 BODY[]", MAIL), "OK done"]


@pytest.mark.parametrize(
    "first",
    [["* 1 FETCH (UID 1 BODY[] NIL)", "OK done"], ["OK done"], ["NO [SERVERBUG] Internal error"], ["BAD what"]],
    ids=["NIL", "nothing", "NO", "BAD"],
)
def test_a_mail_that_is_there_and_is_not_given_is_never_passed_over(first: list[str]) -> None:
    with odd_server(lambda command: says(command, first)) as address:
        assert fetching.fetch(address) == 0
        row = Mailbox.objects.get(name=address.name)
        assert "does not give the mail with UID 1, and the mails behind it wait" in row.problem
        assert row.last_uid == 0
    with odd_server(
        lambda command: says(command, [literal("* 1 FETCH (UID 1 BODY[]", letter()), "OK done"])
    ) as address:
        assert fetching.fetch(address) == 2
    row.refresh_from_db()
    assert (row.problem, row.last_uid) == ("", 2)


def test_news_of_other_mails_in_between_is_not_taken_for_the_mail() -> None:
    other = [
        "* 2 FETCH (UID 2 FLAGS (\\Seen))",
        "* 2 EXISTS",
        literal("* 1 FETCH (UID 1 BODY[]", letter("one\n")),
        "OK done",
    ]
    with odd_server(lambda command: says(command, other)) as address:
        assert fetching.fetch(address) == 2
    assert b"one" in sources()[0]


def test_an_empty_folder_is_not_searched() -> None:
    """Exchange calls a search of one an error."""

    def empty(command: str) -> list[str]:
        if command.upper().startswith("EXAMINE"):
            return ["* 0 EXISTS", "* OK [UIDVALIDITY 7] ok", "* OK [UIDNEXT 1] ok", "OK done"]
        return ["BAD The specified message set is invalid."]

    with odd_server(empty) as address:
        assert fetching.fetch(address) == 0
        assert Mailbox.objects.get(name=address.name).problem == ""
