"""A reply in the customer's language: marks that its letters need go out, and hide no secret."""

# ruff: noqa: RUF001 - letters of other languages are what this is about
from __future__ import annotations

import unicodedata

import pytest
from chariot_license.protocol.codes import LicenseKey, format_deactivation_code

from activations.mail import sending
from activations.models import Conversation, OutgoingMail
from activations.services.post import answers
from activations.services.post.outbox import Envelope
from activations.services.results import BadInput
from tests.mailroom.letters import CUSTOMER, letter
from tests.mailroom.smtp import Catcher
from tests.mailroom.test_answering import arrived
from tests.portal.cast import AGENT

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("nobody_sends_by_itself")]
SIGNS = {
    "Persian": "سلام، نمی‌توانم درخواست شما را بخوانم. لطفاً خط‌های ۳ و ۷ را بفرستید.",
    "Hindi": "नमस्ते, क्‍षेत्र और र्‍ह ठीक हैं।",
    "Sinhala": "ශ්‍රී ලංකාව",
    "Malayalam": "അവന്‍ വന്നു",
    "Bengali": "র‍্যাম",
    "emoji": "Done 👩‍🔧 🏳️‍🌈 👩🏽‍💻 ❤️‍🔥 🙂‍↔️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "Hebrew with marks": "שלום! \u200fהגרסה היא 8.1.2\u200e (build 7).",
    "Arabic number sign": "مرحبا \u061c\u0600١٢٣ \u06dd",
}


def write(body: str) -> OutgoingMail | BadInput:
    row = Conversation.objects.first() or arrived(letter("Hello")).conversation
    assert row is not None
    sent = answers.write_reply(token=body[:20], body=body, actor=AGENT, envelope=Envelope(row.pk, CUSTOMER))
    assert isinstance(sent, OutgoingMail | BadInput), sent
    return sent


@pytest.mark.parametrize("body", SIGNS.values(), ids=list(SIGNS))
def test_what_letters_need_goes_out_as_it_was_written(smtp: Catcher, body: str) -> None:
    assert any(unicodedata.category(letter) == "Cf" for letter in body)
    sent = write(body)
    assert isinstance(sent, OutgoingMail), sent
    assert sending.send(sent.pk) == "sent"
    [got] = smtp.messages
    assert got.get_content().rstrip("\r\n") == body


@pytest.mark.parametrize(
    "body",
    [
        "pump\u200dhouse",
        "pump\u200chouse",
        "\u200dHello",
        "пу\u200dмп",
        "سلام\u200c\u200c\u200d\u200c",
        "left\u200eright",
        "\u200fHello",
        "سلام \u202eabc",
        "שלום \u2066abc\u2069",
        "Hello\u200bthere",
        "so\u00adft",
        "Hello\ufeff",
        "🏴\U000e0074\U000e0065\U000e0073\U000e007f",
        "Hello\U000e0041",
        "👩\u200d",
        "ok\ufe0f\u200d👩",
    ],
    ids=ascii,
)
def test_where_no_letter_needs_them_they_are_refused(body: str) -> None:
    refused = write(body)
    assert isinstance(refused, BadInput)
    assert refused.code == "letter-unfit"
    assert "cannot be seen: U+" in refused.message


@pytest.mark.parametrize(
    "mark", ["\u200d", "\u200c", "\u200f", "\u061c", "\ufe0f", "\u034f", "\u0332", "\u3164", "\u2800"], ids=ascii
)
@pytest.mark.parametrize("around", ["{}", "سلام {} سلام"])
def test_no_secret_hides_behind_them(mark: str, around: str) -> None:
    key, code = (
        LicenseKey(b"8 letters"[:8], bytes(range(90, 106))).text,
        format_deactivation_code(bytes(range(100, 116))),
    )
    for secret in (key, code):
        for hidden in (mark.join(secret), f"{secret[:9]}{mark}{secret[9:]}", secret.replace("-", f"{mark}-{mark}")):
            refused = write(around.format(hidden))
            assert isinstance(refused, BadInput), ascii(hidden)
            assert refused.code == "letter-holds-secret", ascii(hidden)
