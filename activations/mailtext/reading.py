"""Reading one mail: bytes in, a value out. docs/mail.md, "How mails are read"."""

from __future__ import annotations

from chariot_license.protocol.codes import find_codes
from chariot_license.protocol.errors import BlockError
from chariot_license.protocol.reader import find_blocks

from activations.mailtext.bounces import bounces_of_headers, bounces_of_report
from activations.mailtext.decoding import readable_text
from activations.mailtext.findings import MAX_TEXT, Findings
from activations.mailtext.headers import Head, addresses_of, date_of, message_id, message_ids, subject_of
from activations.mailtext.parts import read_letter
from activations.mailtext.quotes import is_forward, own_text
from activations.mailtext.senders import checks_of, is_automatic, is_passed_on
from activations.mailtext.values import Address, Bounce, Mail

# Mail servers take less. What is behind it is not looked at, and `problems` says so.
MAX_SOURCE = 40_000_000


def read_mail(source: bytes, *, trusted_servers: frozenset[str] = frozenset()) -> Mail:
    """Return what is in a mail, whatever it is made of. Never raises; bounded in time and memory.

    `trusted_servers` are the names by which our own mail servers sign Authentication-Results (RFC 8601, authserv-id);
    without them `checks` is empty. Nothing is fetched, no archive is opened, nothing is decrypted.
    """
    findings = Findings()
    if len(source) > MAX_SOURCE:
        findings.problem(
            f"The mail is larger than {MAX_SOURCE // 1_000_000} MB; only its beginning was read."
            " Ask the customer for the Usage Request alone."
        )
        source = source[:MAX_SOURCE]
    if b"\n" not in source:
        source = source.replace(b"\r", b"\n")  # as the first Macintosh ended lines
    letter = read_letter(source, 0, len(source), findings)
    head = letter.head
    subject = subject_of(head)
    sender = _sender(head, findings)
    text = readable_text(letter.text[: 2 * MAX_TEXT])
    if len(text) > MAX_TEXT or len(letter.text) > 2 * MAX_TEXT:
        findings.problem(
            f"The text of the mail is longer than {MAX_TEXT:,} letters; what is shown ends there."
            " All that is read of it was searched for Usage Requests and codes."
        )
        text = text[:MAX_TEXT]
    _warn_of_hidden(findings)
    made = is_automatic(head, sender, subject, letter.media_type)
    return Mail(
        message_id=message_id(head.first("message-id")),
        in_reply_to=message_ids(head.first("in-reply-to")),
        references=message_ids(head.first("references")),
        sender=sender,
        reply_to=_addresses(head, "reply-to", findings),
        to=_addresses(head, "to", findings),
        cc=_addresses(head, "cc", findings),
        subject=subject,
        sent_at=date_of(head),
        text=text,
        own_text=own_text(text, forwarded=is_forward(subject)),
        searchable=tuple(findings.searchable),
        attachments=tuple(findings.attachments),
        automatic=made or is_passed_on(head),
        bounces=_bounces(head, text, findings),
        checks=checks_of(head, trusted_servers),
        problems=tuple(findings.problems),
        by_person=not made,
    )


def _sender(head: Head, findings: Findings) -> Address:
    found = _addresses(head, "from", findings) or _addresses(head, "sender", findings)
    if len(found) > 1 or len(head.all("from")) > 1:
        findings.problem("The mail names several senders. Make sure who wrote it before you answer.")
    if not found or not found[0].address:
        findings.problem("The mail has no sender's address that can be answered. Find out who wrote it another way.")
    return found[0] if found else Address("", "")


def _addresses(head: Head, field: str, findings: Findings) -> tuple[Address, ...]:
    found, more = addresses_of(head, field)
    if more:
        findings.problem(f"The mail has more addresses in {field.title()} than are kept here. Look at the mail itself.")
    return found


def _bounces(head: Head, text: str, findings: Findings) -> tuple[Bounce, ...]:
    original = findings.original_message_id
    found = [bounce for report in findings.reports[:5] for bounce in bounces_of_report(report, original)]
    return tuple(dict.fromkeys(found)) or bounces_of_headers(head, text, original)


def _warn_of_hidden(findings: Findings) -> None:
    """Name a block or code that the HTML hides: whoever reads the mail does not see what it asks for."""
    if not findings.hidden.strip():
        return
    codes = find_codes(findings.hidden)
    try:
        blocks = bool(find_blocks(findings.hidden))
    except BlockError:
        blocks = True
    if blocks or codes.deactivation_codes or codes.license_ids:
        findings.problem(
            "The HTML of this mail hides a Usage Request or a code from its reader. It was left out."
            " Ask the customer for it in plain text."
        )
