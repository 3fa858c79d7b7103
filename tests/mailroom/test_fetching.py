"""Fetching from a real IMAP server: each mail once, none lost, nothing changed there, and trouble told in words."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from activations import tasks
from activations.mail import fetching
from activations.models import IncomingMail, Mailbox
from activations.services.post import keeping
from activations.services.post.signals import mail_to_read
from tests.mailroom.imap import ImapServer
from tests.mailroom.letters import letter
from tests.mailroom.relay import silent_server, wire
from tests.ops.processes import free_port

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_reads() -> Iterator[None]:
    """These tests are about what is kept; reading it is tested with the conversations."""
    mail_to_read.disconnect(tasks._read_soon)
    yield
    mail_to_read.connect(tasks._read_soon)


def box(server: ImapServer) -> Mailbox:
    return Mailbox.objects.get(name=server.address.name)


def sources() -> list[bytes]:
    return [keeping.source_of(mail) for mail in IncomingMail.objects.order_by("id")]


@contextmanager
def whenever_one_is_kept(do: Callable[[], None]) -> Iterator[None]:
    def heard(**_: Any) -> None:
        do()

    mail_to_read.connect(heard, weak=False)
    try:
        yield
    finally:
        mail_to_read.disconnect(heard)


# --- each mail once ----------------------------------------------------------------------------------------


def test_only_new_mails_are_fetched_byte_for_byte_and_the_position_moves_with_them(imap_server: ImapServer) -> None:
    first, second, third = (letter(f"Mail {number}\n") for number in range(3))
    imap_server.deliver(first, second)

    assert fetching.fetch(imap_server.address) == 2
    assert sources() == [first, second]
    assert (box(imap_server).last_uid, box(imap_server).uid_validity) == (2, imap_server.uid_validity())
    assert fetching.fetch(imap_server.address) == 0

    imap_server.deliver(third)
    assert fetching.fetch(imap_server.address) == 1
    assert sources() == [first, second, third]
    assert box(imap_server).last_uid == 3
    assert box(imap_server).problem == ""
    assert box(imap_server).reached_at == box(imap_server).tried_at


def test_a_mail_that_is_delivered_twice_is_on_the_desk_once(imap_server: ImapServer) -> None:
    mail = letter()
    imap_server.deliver(mail, mail)

    assert fetching.fetch(imap_server.address) == 1
    assert box(imap_server).last_uid == 2
    assert IncomingMail.objects.count() == 1


def test_one_mail_in_two_mailboxes_is_one(imap_server: ImapServer, settings: Settings) -> None:
    other = imap_server.another_user()
    mail = letter()
    imap_server.deliver(b"Received: from a by b; Thu, 26 Nov 2026 19:00:00 +0000\r\n" + mail)
    other.deliver(b"Received: from a by c; Thu, 26 Nov 2026 19:00:09 +0000\r\n" + mail)
    settings.MAILBOXES = [imap_server.address, other.address]

    assert fetching.fetch_all() == 1
    assert IncomingMail.objects.count() == 1
    assert (box(imap_server).last_uid, box(other).last_uid) == (1, 1)


def test_a_folder_that_was_made_anew_is_fetched_from_its_beginning(imap_server: ImapServer) -> None:
    folder = replace(imap_server, folder="Support")
    old, newer = letter("old\n"), letter("newer\n")
    folder.deliver(letter("gone\n"), old)
    assert fetching.fetch(folder.address) == 2
    before = box(folder).uid_validity

    folder.make_anew()
    folder.deliver(newer, old)

    assert fetching.fetch(folder.address) == 1, "the other one is known by its content"
    assert box(folder).uid_validity != before
    assert box(folder).last_uid == 2
    assert len(sources()) == 3


def test_a_run_takes_so_many_and_the_next_goes_on(imap_server: ImapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MOST_AT_ONCE", 2)
    imap_server.deliver(*(letter(f"{number}\n") for number in range(5)))

    assert [fetching.fetch(imap_server.address) for _ in range(4)] == [2, 2, 1, 0]


def test_nothing_changes_on_the_server(imap_server: ImapServer) -> None:
    imap_server.deliver(letter("a\n"), letter("b\n"))
    before = imap_server.seen_from_outside()

    fetching.fetch(imap_server.address)

    assert imap_server.seen_from_outside() == before
    assert all(rb"\Seen" not in line for line in before)
    assert len(before) == 2


# --- sizes and deletions -----------------------------------------------------------------------------------


def test_a_mail_of_25_megabytes_is_kept_whole(imap_server: ImapServer) -> None:
    line = b"JVBERi0xLjQKJcOkw7zDtsOfCjIgMCBvYmoKPDwvTGVuZ3RoIDMgMCBSL0ZpbHRlci9GbGF0\r\n"
    mail = letter() + line * (25_000_000 // len(line))
    imap_server.deliver(mail)

    assert fetching.fetch(imap_server.address) == 1
    kept = IncomingMail.objects.get()
    assert keeping.source_of(kept) == mail
    assert kept.source.size == len(mail)


def test_a_larger_one_stays_there_and_a_note_says_so(imap_server: ImapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "LARGEST", 2_000_000)
    after = letter("a small one behind it\n")
    imap_server.deliver(letter(subject="Our plans") + b"x" * 3_000_000, after)

    assert fetching.fetch(imap_server.address) == 2
    note, kept = sources()
    assert kept == after
    assert len(note) < 2000
    assert note.startswith(b"Subject: A mail of 3 MB was not fetched\r\n")
    assert b"Subject: Our plans" in note.split(b"\r\n\r\n", 1)[1], "what it was stands in the text"
    assert fetching.fetch(imap_server.address) == 0, "the note is kept once"


def test_a_mail_that_is_deleted_in_between_holds_up_no_other(imap_server: ImapServer) -> None:
    first, second, third = (letter(f"Mail {number}\n") for number in range(3))
    imap_server.deliver(first, second, third)

    def delete_the_second() -> None:
        if IncomingMail.objects.count() == 1:
            imap_server.delete(2)

    with whenever_one_is_kept(delete_the_second):
        fetching.fetch(imap_server.address)
    fetching.fetch(imap_server.address)

    assert sources() == [first, third]
    assert box(imap_server).problem == ""


# --- trouble -----------------------------------------------------------------------------------------------

PASSWORD = "nobody-may-read-this"


def assert_trouble(server: ImapServer, said: str, *, kept: int, caplog: pytest.LogCaptureFixture) -> None:
    row = box(server)
    assert re.search(said, row.problem), row.problem
    assert row.tried_at is not None
    assert PASSWORD not in row.problem + caplog.text
    assert IncomingMail.objects.count() == kept


def test_a_wrong_password(imap_server: ImapServer, caplog: pytest.LogCaptureFixture) -> None:
    imap_server.deliver(letter())
    wrong = replace(imap_server, password=PASSWORD)

    assert fetching.fetch(wrong.address) == 0
    assert_trouble(wrong, "does not accept the name and password. Check IMAP_URLS", kept=0, caplog=caplog)
    assert box(wrong).reached_at is None

    assert fetching.fetch(imap_server.address) == 1
    assert box(imap_server).problem == ""


def test_a_password_that_is_not_ascii(imap_server: ImapServer, caplog: pytest.LogCaptureFixture) -> None:
    wrong = replace(imap_server, password=f"{PASSWORD}-größer-密码")

    assert fetching.fetch(wrong.address) == 0
    assert_trouble(wrong, "does not accept the name and password", kept=0, caplog=caplog)


def test_a_folder_that_is_missing(imap_server: ImapServer, caplog: pytest.LogCaptureFixture) -> None:
    missing = replace(imap_server, folder="Lizenzen")

    assert fetching.fetch(missing.address) == 0
    assert_trouble(missing, "has no folder Lizenzen. Check IMAP_URLS", kept=0, caplog=caplog)

    missing.deliver(letter())
    assert fetching.fetch(missing.address) == 1
    assert box(missing).problem == ""


def test_a_server_that_is_not_there(imap_server: ImapServer, caplog: pytest.LogCaptureFixture) -> None:
    gone = replace(imap_server, port=free_port())

    assert fetching.fetch(gone.address) == 0
    assert_trouble(gone, "cannot be reached: Connection refused. The next run tries again", kept=0, caplog=caplog)


def test_a_server_that_never_says_a_word(
    imap_server: ImapServer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.MAIL_TIMEOUT = 1
    with silent_server() as port:
        hanging = replace(imap_server, port=port)
        assert fetching.fetch(hanging.address) == 0
    assert_trouble(hanging, "did not answer within 1 seconds. The next run tries again", kept=0, caplog=caplog)


@pytest.mark.parametrize("hangs", [False, True], ids=["breaks off", "hangs"])
@pytest.mark.parametrize("after", [0, 200, 500, 60_000, 130_000])
def test_a_server_that_ends_in_the_middle(
    imap_server: ImapServer,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    after: int,
    hangs: bool,
) -> None:
    """Before the greeting, at the log-in, at the list, in the first of three mails and in the third."""
    settings.MAIL_TIMEOUT = 1
    mails = [letter("x" * 60 + f"\n{number}" * 20_000) for number in range(3)]
    imap_server.deliver(*mails)

    with wire(imap_server.host, imap_server.port, after, hangs=hangs) as port:
        cut = replace(imap_server, port=port)
        got = fetching.fetch(cut.address)
    assert got < 3
    said = "did not answer within 1 " if hangs else "broke off in the middle"
    assert_trouble(cut, said, kept=got, caplog=caplog)

    assert fetching.fetch(imap_server.address) == 3 - got
    assert sources() == mails
    assert box(imap_server).problem == ""


def test_one_mailbox_in_trouble_holds_up_no_other(
    imap_server: ImapServer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.MAIL_TIMEOUT = 1
    imap_server.deliver(letter())
    with silent_server() as port:
        hanging = replace(imap_server.another_user(), port=port)
        settings.MAILBOXES = [hanging.address, imap_server.address]
        assert fetching.fetch_all() == 1
    assert "did not answer" in box(hanging).problem
    assert box(imap_server).problem == ""


def test_what_waited_longest_comes_first_where_time_is_short(
    imap_server: ImapServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers that hang use a run up; the mailboxes behind them have their turn in the next."""
    settings.MAIL_TIMEOUT = 1
    monkeypatch.setattr(fetching, "MOST_SECONDS", 0.5)
    imap_server.deliver(letter())
    with silent_server() as port:
        hanging = replace(imap_server.another_user(), port=port)
        settings.MAILBOXES = [hanging.address, imap_server.address]
        assert fetching.fetch_all() == 0
        assert not Mailbox.objects.filter(name=imap_server.address.name).exists()
        assert fetching.fetch_all() == 1


def test_an_error_that_nobody_foresaw_stands_at_the_mailbox(
    imap_server: ImapServer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Here: no mail can be sealed, because the key is of the wrong length."""
    imap_server.deliver(letter())
    keys = settings.KEY_ENCRYPTION_KEYS
    settings.KEY_ENCRYPTION_KEYS = []

    assert fetching.fetch(imap_server.address) == 0
    assert_trouble(imap_server, "nobody foresaw", kept=0, caplog=caplog)

    settings.KEY_ENCRYPTION_KEYS = keys
    assert fetching.fetch(imap_server.address) == 1
    assert box(imap_server).problem == ""


# --- TLS ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("security", ["imaps", "imap+tls"])
def test_tls_and_a_certificate_that_is_trusted_or_not(
    imap_server: ImapServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, security: str
) -> None:
    home = Path(os.environ["TEST_SERVICES_FOLDER"]) / "imap"
    port = int((home / "tls-port").read_text()) if security == "imaps" else imap_server.port
    address = replace(imap_server.address, security=security, port=port)
    imap_server.deliver(letter())

    assert fetching.fetch(address) == 0
    assert_trouble(imap_server, "certificate cannot be trusted", kept=0, caplog=caplog)

    monkeypatch.setenv("SSL_CERT_FILE", str(home / "certificate.pem"))
    assert fetching.fetch(address) == 1
    assert box(imap_server).problem == ""


def test_no_tls_where_it_was_asked_for(imap_server: ImapServer, caplog: pytest.LogCaptureFixture) -> None:
    imap_server.deliver(letter())

    assert fetching.fetch(replace(imap_server.address, security="imaps")) == 0
    assert_trouble(imap_server, "does not speak TLS on this port", kept=0, caplog=caplog)
