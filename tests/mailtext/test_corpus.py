"""Every mail of tests/mails is read as its NAME.json says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chariot_license.protocol.block import FoundBlock, Kind
from chariot_license.protocol.codes import find_codes
from chariot_license.protocol.reader import find_blocks
from chariot_license.protocol.request import read_request

from activations.mailtext import Mail, content_digest, read_mail

FOLDER = Path(__file__).resolve().parent.parent / "mails"
MAILS = sorted(FOLDER.glob("*.eml"))


def request_ids(mail: Mail) -> list[str]:
    """The Usage Requests that verify in what is searched, each text by itself."""
    found: dict[str, None] = {}
    for text in mail.searchable:
        for block in find_blocks(text):
            if isinstance(block, FoundBlock) and block.kind is Kind.REQUEST:
                found[read_request(block.data).request_id.hex()] = None
    return list(found)


def said(mail: Mail) -> dict[str, Any]:
    codes = find_codes("\n\n".join(mail.searchable))
    return {
        "sender": [mail.sender.name, mail.sender.address],
        "subject": mail.subject,
        "message_id": mail.message_id,
        "requests": request_ids(mail),
        "license_ids": list(codes.license_ids),
        "deactivation_codes": list(codes.deactivation_codes),
        "attachments": [[one.name, one.kind.value] for one in mail.attachments],
        "automatic": mail.automatic,
        "bounces": [[one.recipient, one.action, one.status, one.original_message_id] for one in mail.bounces],
    }


@pytest.mark.parametrize("path", MAILS, ids=[path.stem for path in MAILS])
def test_a_mail_is_read_as_people_read_it(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    mail = read_mail(path.read_bytes())
    found = said(mail)
    assert found == {key: expected[key] for key in found}
    assert len(mail.problems) == len(expected["problems"]), mail.problems
    for gist in expected["problems"]:
        assert any(gist in problem for problem in mail.problems), mail.problems
    for words in expected["text_has"]:
        assert words in mail.text
    for words in expected["text_lacks"]:
        assert words not in mail.text
    for words in expected["own_has"]:
        assert words in mail.own_text
    for words in expected["own_lacks"]:
        assert words not in mail.own_text


def test_there_are_enough_mails() -> None:
    assert len(MAILS) >= 60
    assert [path.stem for path in sorted(FOLDER.glob("*.json"))] == [path.stem for path in MAILS]


def test_each_mail_has_a_digest_of_its_own_and_keeps_it_on_its_way() -> None:
    digests = {content_digest(path.read_bytes()): path.stem for path in MAILS}
    assert len(digests) == len(MAILS)
    for path in MAILS:
        if path.stem != "no-header-at-all":
            delivered = b"Delivered-To: desk@example.com\r\nReceived: from mx\r\n\tby us\r\n" + path.read_bytes()
            assert digests.get(content_digest(delivered)) == path.stem
