"""One mail of the outbox to the mail server or provider, by the backend that the settings name."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from email.charset import QP, Charset
from email.utils import format_datetime

from anymail.exceptions import AnymailError
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend as SmtpBackend

from activations.mail import providers
from activations.mail.providers import End
from activations.models import OutgoingMail
from activations.services.post import outbox

# Not every server on the way takes 8 bits (RFC 6152), and what one of them recodes is no longer what we sent.
_IN_ASCII = Charset("utf-8")
_IN_ASCII.body_encoding = QP
# RFC 4954, 6: no log-in, too weak a one, a wrong one. RFC 3207 has 530 for a missing STARTTLS.
_LOG_IN = (530, 534, 535)


class _BeforeMail(smtplib.SMTPResponseException):
    """What the server said to DATA, before one letter of the mail went out, and it was not "go on"."""


class _Unclear(smtplib.SMTPException):
    """What the server said to the whole mail, and it was neither yes nor no. Its code is -1 if it had none."""

    def __init__(self, code: int, words: bytes | str) -> None:
        super().__init__(code, words)
        self.code, self.words = code, words


def send(pk: int) -> str:
    """Sends a due mail; returns its state afterwards, "" if it was not ours to send. See `outbox` for the states."""
    mail = outbox.claim(pk)
    if mail is None:
        return ""
    try:
        message = to_message(mail)
        message.message()  # once now: what cannot be written as a mail is known before a server hears of it
    except Exception as error:
        outbox.note_refused(mail, f"This mail cannot be written: {str(error)[:300] or type(error).__name__}")
    else:
        _send(mail, message)
    mail.refresh_from_db()
    return mail.state


def _send(mail: OutgoingMail, message: EmailMessage) -> None:
    try:
        backend: BaseEmailBackend = get_connection(fail_silently=False)
        backend.open()
    except Exception as error:  # not one byte of the mail was given to anybody: whatever failed, it may be tried again
        outbox.note_unreached(mail, said(error))
    else:
        _give(mail, message, backend)


def _give(mail: OutgoingMail, message: EmailMessage, backend: BaseEmailBackend) -> None:
    given = _watched(backend)
    try:
        if providers.is_provider(backend):
            backend.send_messages([providers.fitted(message, backend)])
            providers.insist(message)
        else:
            backend.send_messages([message])
    except AnymailError as error:
        _note_end(mail, *providers.end_of(error, asked=given()))
    except smtplib.SMTPException as error:
        _note_smtp(mail, error, given=given())
    except Exception as error:
        if given():
            outbox.note_unknown(mail, said(error))
        else:
            _not_taken(mail, error, for_good=isinstance(error, ValueError))  # an address that SMTP cannot carry
    else:
        outbox.note_sent(mail)
    finally:
        _close(backend)


def _note_smtp(mail: OutgoingMail, error: smtplib.SMTPException, *, given: bool) -> None:
    """An answer with which the server says no is certain. Any other means: nothing was given to it, or nobody knows."""
    codes = _noes(error)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        outbox.note_refused(mail, said(error))
    elif codes:
        _not_taken(mail, error, for_good=all(500 <= code < 600 for code in codes) and not _wants_log_in(error))
    elif given:
        outbox.note_unknown(mail, said(error))
    else:
        _not_taken(mail, error, for_good=False)


def _noes(error: smtplib.SMTPException) -> list[int]:
    """The codes with which the server did not take the mail; none if it never came to an answer, or was not asked."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return [code for code, _ in error.recipients.values()]
    if isinstance(error, smtplib.SMTPSenderRefused | smtplib.SMTPDataError | _BeforeMail):
        return [error.smtp_code]
    return []


def _wants_log_in(error: Exception) -> bool:
    """Whether every mail would be refused so, because the server does not take our log-in."""
    if isinstance(error, smtplib.SMTPRecipientsRefused | smtplib.SMTPSenderRefused | _BeforeMail):
        return any(code in _LOG_IN for code in _noes(error))
    return False


def _watched(backend: BaseEmailBackend) -> Callable[[], bool]:
    """Whether the server may have the mail: by SMTP only once DATA was begun, with a provider once it was asked, by
    another way from the start. By SMTP the answer to the mail is read as RFC 5321 has it, too.
    """
    if providers.is_provider(backend):
        return providers.watched(backend)
    connection = getattr(backend, "connection", None)
    if not isinstance(backend, SmtpBackend) or not isinstance(connection, smtplib.SMTP):
        return lambda: True
    begun: list[bool] = []
    give = connection.data

    def data(content: bytes | str) -> tuple[int, bytes]:
        begun.append(True)
        try:
            code, words = give(content)
        except smtplib.SMTPDataError as refused:
            begun.clear()
            raise _BeforeMail(refused.smtp_code, refused.smtp_error) from refused
        # smtplib takes 250 alone for a yes, and everything else for a no.
        if 200 <= code < 300:
            return 250, words
        if 400 <= code < 600:
            raise smtplib.SMTPDataError(code, words)
        raise _Unclear(code, words)

    connection.data = data  # type: ignore[method-assign,assignment]
    return lambda: bool(begun)


def _note_end(mail: OutgoingMail, end: End, problem: str) -> None:
    note = {End.REFUSED: outbox.note_refused, End.LATER: outbox.note_unreached, End.UNKNOWN: outbox.note_unknown}[end]
    note(mail, problem)


def _not_taken(mail: OutgoingMail, refused: Exception, *, for_good: bool) -> None:
    note = outbox.note_refused if for_good else outbox.note_unreached
    note(mail, said(refused))


def _close(backend: BaseEmailBackend) -> None:
    try:
        backend.close()
    except Exception:  # the mail's end is noted; a farewell that fails changes nothing
        return


def to_message(mail: OutgoingMail) -> EmailMessage:
    """The mail as it goes out: plain text, its Usage License inline and as a file, threaded by RFC 5322."""
    headers = {
        "Message-ID": f"<{mail.message_id}>",
        "Date": format_datetime(mail.queued_at),
        # No machine shall answer with an absence note to what a machine wrote (RFC 3834).
        "Auto-Submitted": "auto-replied" if mail.queued_by == "automatic" else "no",
    }
    if mail.in_reply_to:
        headers["In-Reply-To"] = f"<{mail.in_reply_to}>"
    if mail.references:
        headers["References"] = " ".join(f"<{each}>" for each in mail.references.split("\n"))
    message = EmailMessage(
        subject=_one_line(mail.subject),
        body=mail.body,
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[mail.to_address],
        headers=headers,
    )
    if not mail.body.isascii():
        message.encoding = _IN_ASCII
    if mail.attachment:
        message.attach(mail.attachment_name, mail.attachment, "text/plain")
    return message


def _one_line(text: str) -> str:
    """Whatever else a subject came to hold, it begins no other header."""
    return " ".join(text.split())


def said(error: Exception) -> str:
    """What went wrong, for staff: the server's words, no traceback and no address of ours."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return "The mail server does not accept our name and password. Check EMAIL_URL."
    if isinstance(error, smtplib.SMTPRecipientsRefused | smtplib.SMTPResponseException | _Unclear):
        return _answer(error)
    if isinstance(error, OSError):
        return f"The connection to the mail server failed: {error.strerror or type(error).__name__}"
    return f"Sending failed: {type(error).__name__}"


def _answer(error: smtplib.SMTPRecipientsRefused | smtplib.SMTPResponseException | _Unclear) -> str:
    if isinstance(error, _Unclear):
        if error.code < 0:
            return "The mail server got the mail and gave an answer without a code."
        return f"The mail server got the mail and said neither yes nor no: {error.code} {_words(error.words)}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        answers = "; ".join(f"{code} {_words(text)}" for code, text in error.recipients.values())
        what = "the address"
    else:
        answers, what = f"{error.smtp_code} {_words(error.smtp_error)}", "the mail"
    if _wants_log_in(error):
        return (
            f"The mail server refuses the log-in of EMAIL_URL, or wants one: {answers}. Check its name and password, "
            "and that it begins with smtp+tls or smtp+ssl."
        )
    if isinstance(error, smtplib.SMTPHeloError):
        return f"The mail server refused our greeting: {answers}"
    if type(error) is smtplib.SMTPResponseException:  # smtplib makes up a 500 where a line does not end
        return "The mail server gave an answer that is too long to be one."
    if not all(400 <= code < 600 for code in _noes(error)):
        return f"The mail server did not take {what}, and its answer is none that mail servers give: {answers}"
    return f"The mail server refused {what}: {answers}"


def _words(text: bytes | str) -> str:
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return " ".join(plain.split())[:500]
