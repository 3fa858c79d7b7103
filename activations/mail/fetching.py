"""Fetching a mailbox by IMAP: every mail is stored before the next one is asked for, and nothing on the server is
changed, so that whoever looks into the mailbox by hand sees what was there.
"""

from __future__ import annotations

import imaplib
import logging
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from imap_tools import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.errors import ImapToolsError, MailboxFolderSelectError, MailboxLoginError, MailboxStarttlsError

from activations.services.post import keeping
from activations.services.post.signals import mail_to_read
from licensing_portal.mailboxes import MailboxAddress

log = logging.getLogger(__name__)

MOST_AT_ONCE = 200  # new mails of one mailbox in one run; the next run goes on
MOST_SECONDS = 150  # of one run over all mailboxes; well below the time that a job may take
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")
BROKE_OFF = "The mail server broke off in the middle. The next run goes on where this one ended."
NOT_GIVEN = (
    "The mail server does not give the mail with UID {uid}, and the mails behind it wait. If this stays, open it in "
    "the mailbox and move it to another folder; if a Usage Request is in it, paste it on the desk."
)
TOO_LARGE = (
    "Subject: A mail of {megabytes} MB was not fetched\r\nMessage-ID: <{uid}.{validity}.not-fetched@portal.invalid>\r\n"
    "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    "This mail in {box} is larger than {most} MB and was left there. Open it in the mailbox; if a Usage Request is in "
    "it, paste it on the desk.\r\n\r\n"
)


class Unreachable(Exception):
    """The mailbox could not be read; the message is for staff and names no password."""


def fetch_all() -> int:
    """Fetches each mailbox of the settings; returns the number of new mails. What failed stands at the mailbox.

    The one that was tried longest ago comes first, so that servers that do not answer keep no other mailbox waiting.
    """
    until = time.monotonic() + MOST_SECONDS
    by_name = {address.name: address for address in settings.MAILBOXES}
    new = 0
    for name in keeping.longest_ago(by_name):
        if time.monotonic() > until:
            break
        new += fetch(by_name[name], until)
    return new


def fetch(address: MailboxAddress, until: float | None = None) -> int:
    """The mails that came into one mailbox since it was fetched last; returns how many of them were new. `until` is
    the time, by the monotonic clock, after which no other mail is begun.
    """
    new, problem = 0, ""
    try:
        with _opened(address) as box:
            if box is not None:
                for _ in _keep_new(box, address.name, until or time.monotonic() + MOST_SECONDS):
                    new += 1
    except Unreachable as error:
        problem = str(error)
        log.error("mailbox %s: %s", address.name, problem)
    except Exception as error:  # one mailbox that nobody foresaw must not keep the others from being fetched
        problem = f"Fetching ended in an error that nobody foresaw ({type(error).__name__}). The log says more."
        log.exception("mailbox %s could not be fetched", address.name)
    keeping.note_reached(address.name, problem)
    return new


@contextmanager
def _opened(address: MailboxAddress) -> Iterator[BaseMailBox | None]:
    """The connection to a mailbox that is opened for reading; None for one that is empty."""
    box: BaseMailBox | None = None
    try:
        box = _connected(address)
        _log_in(box, address)
        _, [number, *_] = box.folder.set(address.folder, readonly=True)
        # Some servers answer a search of an empty folder with an error.
        yield box if number != b"0" else None
        _leave(box)
    except MailboxFolderSelectError as error:
        raise Unreachable(f"The mail server has no folder {address.folder}. Check IMAP_URLS.") from error
    except (OSError, imaplib.IMAP4.error, ImapToolsError) as error:
        raise Unreachable(_said(error)) from error
    finally:
        if box is not None:
            _hang_up(box)


def _log_in(box: BaseMailBox, address: MailboxAddress) -> None:
    # AUTHENTICATE takes every letter in a name and a password, LOGIN only those of ASCII; not all servers have both.
    log_in = box.login_utf8 if "AUTH=PLAIN" in box.client.capabilities else box.login
    try:
        log_in(address.user, address.password, initial_folder=None)
    except imaplib.IMAP4.abort:
        raise
    except (imaplib.IMAP4.error, MailboxLoginError, UnicodeEncodeError) as error:
        if "[UNAVAILABLE]" in str(error):  # RFC 5530: the server cannot say now whether they are right
            raise Unreachable("The mail server lets nobody in for now. The next run tries again.") from None
        # "from None": the error may hold a piece of what was sent.
        raise Unreachable("The mail server does not accept the name and password. Check IMAP_URLS.") from None


def _connected(address: MailboxAddress) -> BaseMailBox:
    host, port, timeout = address.host, address.port, settings.MAIL_TIMEOUT
    if address.security == "imaps":
        return MailBox(host, port, timeout=timeout, ssl_context=ssl.create_default_context())
    if address.security == "imap+tls":
        return MailBoxStartTls(host, port, timeout=timeout, ssl_context=ssl.create_default_context())
    return MailBoxUnencrypted(host, port, timeout=timeout)


def _leave(box: BaseMailBox) -> None:
    try:
        box.logout()
    except (OSError, imaplib.IMAP4.error, ImapToolsError):  # everything that was fetched is stored
        return


def _hang_up(box: BaseMailBox) -> None:
    """Without a farewell, for which a server that hangs would be waited for once more."""
    try:
        box.client.shutdown()
    except OSError:
        return


def _keep_new(box: BaseMailBox, name: str, until: float) -> Iterator[keeping.Kept]:
    """Those that are new, each when it is stored. Known ones cost little, and behind them new ones may wait, as when a
    mailbox moved to another server: only time bounds them.
    """
    validity = _told_at_opening(box, "UIDVALIDITY")
    last = keeping.position_of(name, validity, _told_at_opening(box, "UIDNEXT"))
    # "n:*" names the last mail even if its UID is below n (RFC 3501, 6.4.8).
    uids = sorted(uid for uid in _uids(box, f"{last + 1}:*") if uid > last)
    new = 0
    for uid in uids:
        if time.monotonic() > until or new >= MOST_AT_ONCE:
            return
        source = _source(box, uid, name, validity)
        if source is None:  # it was deleted since the list was made
            continue
        kept = keeping.keep_fetched(box=name, uid_validity=validity, uid=uid, source=source)
        if kept.new:
            new += 1
            mail_to_read.send(type(kept.mail), pk=kept.mail.pk)
            yield kept


def _uids(box: BaseMailBox, wanted: str) -> list[int]:
    # Without a charset: the command is ASCII, and not every server takes one that is named.
    return [int(uid) for uid in box.uids(f"UID {wanted}", charset=None)]


def _told_at_opening(box: BaseMailBox, what: str) -> int:
    """UIDVALIDITY or UIDNEXT; 0 where the server does not say."""
    _, answers = box.client.response(what)
    for answer in answers or []:
        if answer and answer.isdigit():
            return int(answer)
    return 0


def _source(box: BaseMailBox, uid: int, name: str, validity: int) -> bytes | None:
    """The mail, or what is kept in place of one that is too large; None if it is gone."""
    size = _size(box, uid)
    if size is not None and size <= keeping.LARGEST:
        return _there(box, uid, _part(box, uid, "BODY.PEEK[]"))
    head = _there(box, uid, _part(box, uid, "BODY.PEEK[HEADER]") if size is not None else None)
    if head is None or size is None:
        return None
    most = keeping.LARGEST // 1_000_000
    said = TOO_LARGE.format(megabytes=size // 1_000_000, uid=uid, validity=validity, box=name, most=most)
    return said.encode() + head[:100_000]


def _size(box: BaseMailBox, uid: int) -> int | None:
    for answer in _fetched(box, uid, "RFC822.SIZE"):
        found = _SIZE.search(answer) if isinstance(answer, bytes) else None
        if found:
            return int(found[1])
    return None


def _part(box: BaseMailBox, uid: int, what: str) -> bytes | None:
    for answer in _fetched(box, uid, what):
        if isinstance(answer, tuple) and len(answer) == 2:
            return bytes(answer[1])
    return None


def _there(box: BaseMailBox, uid: int, part: bytes | None) -> bytes | None:
    """The part; None only for a mail that is gone: one that the server lists and does not give is not passed over."""
    if part is not None or not _uids(box, str(uid)):
        return part
    raise Unreachable(NOT_GIVEN.format(uid=uid))


def _fetched(box: BaseMailBox, uid: int, what: str) -> list[Any]:
    try:
        status, answers = box.client.uid("fetch", str(uid), f"({what})")
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:  # BAD, which some servers say of a mail that they cannot read
        status, answers = "BAD", []
    if status == "OK":
        return list(answers)
    if not _uids(box, str(uid)):  # deleted under our hands; servers say so in different ways
        return []
    raise Unreachable(NOT_GIVEN.format(uid=uid))


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"The mail server did not answer within {settings.MAIL_TIMEOUT} seconds. The next run tries again."
    if isinstance(error, ssl.SSLEOFError):
        return BROKE_OFF
    if isinstance(error, (ssl.SSLError, MailboxStarttlsError)):
        return "The mail server's certificate cannot be trusted, or it does not speak TLS on this port."
    if isinstance(error, OSError):
        return f"The mail server cannot be reached: {error.strerror or type(error).__name__}. The next run tries again."
    return BROKE_OFF
