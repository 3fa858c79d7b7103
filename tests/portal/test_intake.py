"""What is pasted and proves nothing: told apart, kept in the intake log, and never in the ledger."""

from __future__ import annotations

from dataclasses import replace

import pytest
from chariot_license.protocol.block import Kind, write_block
from chariot_license.protocol.codes import LicenseKey, format_deactivation_code
from chariot_license.protocol.reader import read_block
from chariot_license.protocol.request import sign_request

from activations.models import Instance, IntakeEntry, UsageRequest
from activations.services.issue import submit_usage_request
from activations.services.licenses import LicenseCreated, replace_license_key
from activations.services.results import BadInput, Refused, Unanswerable
from tests.portal.cast import AGENT, MANAGER, SOURCE, answered, issue, length, make_license
from tests.portal.chariot import Chariot, host


@pytest.fixture
def pump(license: LicenseCreated) -> Chariot:
    return Chariot(license.license_key, host("pump-house"))


def kept(source: str | bytes) -> tuple[type, str, bool]:
    """What came of a text: kind, code, and whether the intake entry names a license. Nothing else was stored."""
    before = IntakeEntry.objects.count(), UsageRequest.objects.count(), Instance.objects.count()
    result = submit_usage_request(source=source, actor=AGENT, origin=SOURCE)
    assert isinstance(result, Refused | BadInput), result
    after = IntakeEntry.objects.count(), UsageRequest.objects.count(), Instance.objects.count()
    assert after == (before[0] + 1, *before[1:])
    entry = IntakeEntry.objects.order_by("-id")[0]
    assert (entry.code, entry.message, entry.received_by) == (result.code, result.message, "agent")
    return type(result), result.code, entry.license is not None


def test_no_request_in_the_text(license: LicenseCreated) -> None:
    assert kept("Hello, our pump house does not start.") == (BadInput, "no-block", False)
    assert kept("") == (BadInput, "no-block", False)
    assert kept(b"\x00\xff\xfe\x00junk") == (BadInput, "no-block", False)
    assert length(license.license_id) == 1


def test_the_text_is_kept_as_it_came(license: LicenseCreated) -> None:
    mail = "From: customer\n\nPlease help \u2603"
    kept(mail)

    assert IntakeEntry.objects.get().text == mail


def test_secrets_in_a_text_are_blacked_out_before_it_is_kept(license: LicenseCreated, pump: Chariot) -> None:
    """A code that is kept could free a seat for whoever reads the log; a code with a typing mistake nearly could."""
    code = format_deactivation_code(b"0123456789abcdef")
    mistyped = code[:-1] + ("0" if code[-1] != "0" else "1")
    wrapped = code.replace("-", "\n")
    spaced = code.lower().replace("-", " \u00a0")
    for text in (code, mistyped, spaced):
        kept(f"Dear Support, our code is {text}. The key is {license.license_key}!")
        assert IntakeEntry.objects.order_by("-id")[0].text == (
            "Dear Support, our code is [deactivation code]. The key is [License Key]!"
        )
    kept(f"The code: {wrapped}")
    assert IntakeEntry.objects.order_by("-id")[0].text == "The code: [deactivation code]"
    prose = "We made this with much more care than last year, 2026 0000."
    kept(prose)
    assert IntakeEntry.objects.order_by("-id")[0].text == prose


def test_secrets_in_utf_16_are_blacked_out_too(license: LicenseCreated, pump: Chariot) -> None:
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        kept(f"Dear Support, the key is {license.license_key}, thanks.".encode(encoding))
        assert license.license_key not in IntakeEntry.objects.order_by("-id")[0].text
        assert "[License Key]" in IntakeEntry.objects.order_by("-id")[0].text
    issue(f"My key is {license.license_key}.\n\n{pump.request()}".encode("utf-16"))
    assert license.license_key not in UsageRequest.objects.get().received


def test_a_text_too_long_to_be_searched_is_not_kept(license: LicenseCreated) -> None:
    """A License Key behind the end of the search would lie in the log for good."""
    assert kept("x" * 2_000_100 + license.license_key) == (BadInput, "input-too-large", False)
    assert IntakeEntry.objects.get().text == "[This text is too long to be searched for secrets and is not kept.]"


def test_a_megabyte_of_junk(license: LicenseCreated) -> None:
    assert kept("CHARIOT USAGE REQUEST 0123456789 " * 30_000)[0] is BadInput


def test_a_block_beyond_repair_names_its_lines(pump: Chariot) -> None:
    lines = pump.request().splitlines()
    damaged = "\n".join(line for number, line in enumerate(lines) if number not in (3, 4, 5, 6))

    result = submit_usage_request(source=damaged, actor=AGENT, origin=SOURCE)

    assert isinstance(result, BadInput)
    assert result.code == "block-damaged"
    assert result.detail["lines"] == [3, 4, 5, 6]
    assert IntakeEntry.objects.get().code == "block-damaged"


def test_a_block_within_repair_is_answered(pump: Chariot) -> None:
    lines = pump.request().splitlines()
    damaged = "\n".join(line for number, line in enumerate(lines) if number not in (3, 4))

    result = issue(damaged)

    assert (result.decision.code, result.repaired) == ("activated", (3, 4))


def test_two_requests_in_one_text(pump: Chariot) -> None:
    assert kept(pump.request() + "\nand\n" + pump.request()) == (BadInput, "several-requests", False)


def test_the_same_request_twice_in_one_mail_is_one(pump: Chariot) -> None:
    text = pump.request()
    quoted = "".join(f"> {line}\n" for line in text.splitlines())

    assert issue(f"{text}\nOn Monday you wrote:\n{quoted}").decision.code == "activated"


def test_a_usage_license_is_told_from_a_request(pump: Chariot) -> None:
    assert kept(answered(pump.request())) == (BadInput, "wrong-kind", False)


def test_a_request_that_quotes_the_last_answer_is_found(pump: Chariot) -> None:
    old = answered(pump.request())
    pump.install(old)

    assert issue(f"{pump.request()}\nYour last answer was:\n{old}").decision.code == "updated"


def test_another_signature(license: LicenseCreated, pump: Chariot) -> None:
    data = bytearray(read_block(pump.request(), Kind.REQUEST).data)
    data[-1] ^= 1

    assert kept(write_block(Kind.REQUEST, bytes(data))) == (Unanswerable, "request-signature-wrong", False)
    assert length(license.license_id) == 1


def test_a_key_that_no_license_has(pump: Chariot) -> None:
    other = LicenseKey(seed=bytes(8), secret=bytes(16)).text

    assert kept(Chariot(other, host("pump-house")).request()) == (Unanswerable, "license-key-unknown", False)


def test_a_lookup_id_without_the_key(pump: Chariot) -> None:
    """Somebody saw a request and knows the lookup id in it, but not the License Key."""
    assert kept(pump.request(proof=bytes(16))) == (Unanswerable, "license-proof-wrong", True)


def test_a_proof_does_not_carry_over_to_another_request(pump: Chariot) -> None:
    seen = pump.claims()
    thief = Chariot(pump.license_key.text, host("mill"))

    stolen = replace(thief.claims(), proof=seen.proof, request_id=seen.request_id)

    text = write_block(Kind.REQUEST, sign_request(stolen, thief.key))
    assert kept(text) == (Unanswerable, "license-proof-wrong", True)


def test_a_replaced_key_is_named_as_replaced(license: LicenseCreated, pump: Chariot) -> None:
    replace_license_key(license_id=license.license_id, actor=MANAGER, source=SOURCE, reason="leaked")

    assert kept(pump.request()) == (Unanswerable, "license-key-replaced", True)


def test_nothing_secret_is_shown_to_who_has_a_request(pump: Chariot) -> None:
    made = make_license(customer="Beta Mills")
    mill = Chariot(made.license_key, host("mill"))
    result = issue(mill.request())

    shown = repr(result)
    assert made.license_key not in shown
    assert mill.license_key.secret.hex() not in shown
