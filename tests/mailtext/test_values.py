"""Single rules of reading that the corpus does not show by itself."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from activations.mailtext import Check, content_digest, conversation_token, read_mail

TRUSTED = frozenset({"mx.example.com"})


def mail(*fields: str, body: str = "hello", **options: frozenset[str]):
    return read_mail("\r\n".join([*fields, "", body]).encode(), **options)


def test_only_the_topmost_results_of_a_trusted_server_count() -> None:
    found = mail(
        "Authentication-Results: elsewhere.example.org; dmarc=pass",
        "Authentication-Results: MX.example.com 1; spf=pass (a comment; dmarc=pass) smtp.mailfrom=example.org;",
        '\tdkim=fail reason="bad; dmarc=pass" header.d=example.org; dmarc=fail/1 header.from=example.org',
        "Authentication-Results: mx.example.com; dmarc=pass header.from=example.org; arc=pass",
        trusted_servers=TRUSTED,
    )
    assert found.checks == (
        Check("spf", "pass", "smtp.mailfrom=example.org"),
        Check("dkim", "fail", "reason=bad dmarc=pass header.d=example.org"),
        Check("dmarc", "fail", "/1 header.from=example.org"),
    )


@pytest.mark.parametrize(
    "field",
    ["mx.example.com.evil.example; spf=pass", "spf=pass smtp.mailfrom=x", "; spf=pass", "(mx.example.com) x; spf=pass"],
)
def test_nobody_else_is_believed(field: str) -> None:
    assert mail(f"Authentication-Results: {field}", trusted_servers=TRUSTED).checks == ()
    assert mail("Authentication-Results: mx.example.com; spf=pass").checks == ()


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: auto-generated",
        "AUTO-SUBMITTED: Auto-Replied; owner",
        "Precedence: junk",
        "X-Auto-Response-Suppress: OOF, AutoReply",
        "Return-Path: <>",
        "From: MAILER-DAEMON@example.org",
        "From: no-reply@example.org",
        "Subject: Automatische Antwort: Lizenz",
        "Content-Type: multipart/report; boundary=x",
        "X-Autoreply: yes",
        "X-Failed-Recipients: a@example.org",
    ],
)
def test_a_machine_is_known(field: str) -> None:
    assert mail(field).automatic


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: no (a person)",
        "Subject: Re: Automatic reply rules",
        "X-Auto-Response-Suppress: None",
        "From: noreen@example.org",
        "Precedence: normal",
        "Return-Path: <plant@example.org>",
    ],
)
def test_a_person_is_no_machine(field: str) -> None:
    assert not mail(field).automatic


@pytest.mark.parametrize(
    ("fields", "token"),
    [
        (["Subject: RE: [CL-7K2M9Q4T] Usage Request"], "7K2M9Q4T"),
        (["Subject: re: [cl-7k2m9qoi]"], "7K2M9Q01"),
        (["Subject: =?utf-8?q?AW=3A_[CL-7K2M9Q4T]?="], "7K2M9Q4T"),
        (["To: Support <support+cl-7k2m9q4t@example.com>"], "7K2M9Q4T"),
        (["Cc: a@example.org, support+CL-7K2M9Q4T@example.com", "Subject: hello"], "7K2M9Q4T"),
        (["Subject: [CL-00000000] x [CL-7K2M9Q4T]", "To: support+cl-7k2m9q4t@example.com"], "00000000"),
        (["Subject: CL-7K2M9Q4T"], ""),
        (["Subject: [CL-7K2M9Q4]"], ""),
        (["Subject: [CL-7K2M9QU4]"], ""),
        (["From: support+cl-7k2m9q4t@example.com"], ""),
    ],
)
def test_our_mark_is_found(fields: list[str], token: str) -> None:
    assert conversation_token(mail(*fields)) == token


def test_a_digest_is_of_what_the_sender_made() -> None:
    made = b"From: a@example.org\r\nSubject: x\r\n y\r\nMessage-ID: <1@example.org>\r\nDate: today\r\n\r\nhello\r\n"
    same = (
        b"Received: by us\nX-Spam: no\nSubject: x y\nDelivered-To: b@example.com\nFrom: a@example.org\n"
        b"Message-ID: <1@example.org>\nDate: today\n\nhello\n"
    )
    assert content_digest(made) == content_digest(same)
    for change in (
        (b"hello", b"hallo"),
        (b"<1@", b"<2@"),
        (b"From: a", b"From: b"),
        (b"today", b"now"),
        (b"x\r\n y", b"xy"),
    ):
        assert content_digest(made.replace(*change)) != content_digest(made)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Tue, 24 Nov 2026 09:12:33 +0100", datetime(2026, 11, 24, 8, 12, 33, tzinfo=UTC)),
        ("24 Nov 2026 09:12 -0000", datetime(2026, 11, 24, 9, 12, tzinfo=UTC)),
        ("Tue, 24 Nov 2026 09:12:33 GMT (a comment)", datetime(2026, 11, 24, 9, 12, 33, tzinfo=UTC)),
        ("yesterday", None),
        ("Tue, 31 Feb 2026 09:12:33 +0100", None),
        ("Tue, 24 Nov 0001 09:12:33 +9999", None),
        ("", None),
    ],
)
def test_a_date_has_a_zone_or_is_none(date: str, expected: datetime | None) -> None:
    found = mail(f"Date: {date}").sent_at
    assert found == expected
    assert found is None or found.utcoffset() is not None


def test_ids_are_kept_without_brackets() -> None:
    found = mail(
        "Message-ID: <a@example.org>",
        "In-Reply-To: <b@example.org> (Joe Smith)",
        "References: " + "\r\n ".join(f"<{n}@example.org>" for n in range(70)),
    )
    assert found.message_id == "a@example.org"
    assert found.in_reply_to == ("b@example.org",)
    assert found.references == ("0@example.org", *(f"{n}@example.org" for n in range(21, 70)))


@pytest.mark.parametrize("value", ["<>", "< a@b >", "<" + "a" * 300 + "@b>", "a b", "<a\x01@b>", ""])
def test_what_is_no_id_is_none(value: str) -> None:
    assert mail(f"Message-ID: {value}").message_id == ""


@pytest.mark.parametrize(
    ("value", "name", "address"),
    [
        ("Joe Smith <Joe@EXAMPLE.org>", "Joe Smith", "Joe@example.org"),
        ('"Smith, Joe" <joe@example.org>', "Smith, Joe", "joe@example.org"),
        ("joe@example.org (Joe Smith)", "Joe Smith", "joe@example.org"),
        ("=?utf-8?q?=E2=80=AEJoe?= <joe@example.org>", "Joe", "joe@example.org"),
        ("Joe <joe@>", "Joe", ""),
        ("Joe <joe@exa mple.org>", "Joe", None),
        ("undisclosed-recipients:;", "", ""),
        ("Joe <joe@example..org>", "Joe", ""),
        ("Joe <j\u00f6e@example.org>", "Joe", ""),
    ],
)
def test_a_sender(value: str, name: str, address: str | None) -> None:
    found = mail(f"From: {value}")
    assert found.sender.name == name
    if address is not None:
        assert found.sender.address == address
        assert bool(address) != any("no sender" in problem for problem in found.problems)


def test_a_second_sender_is_named() -> None:
    found = mail("From: joe@example.org", "From: boss@example.com")
    assert found.sender.address == "joe@example.org"
    assert any("several senders" in problem for problem in found.problems)


def test_a_file_name_is_a_base_name() -> None:
    for given, kept in (
        ('"..\\\\..\\\\windows\\\\a.txt"', "a.txt"),
        ('"/etc/passwd"', "passwd"),
        ('"a\u202etxt.exe"', "atxt.exe"),
        ('"' + "x" * 300 + '.txt"', "x" * 116 + ".txt"),
        ('".."', "part-1.txt"),
        ('"=?utf-8?q?Anforderung_f=C3=BCr.txt?="', "Anforderung für.txt"),
    ):
        found = mail("Content-Type: text/plain", f"Content-Disposition: attachment; filename={given}")
        assert found.attachments[0].name == kept
