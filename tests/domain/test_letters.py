"""The texts of replies: what fills a placeholder stays what it is, and what a text must hold."""

from __future__ import annotations

import pytest
from chariot_license.protocol.block import FoundBlock, Kind, write_block
from chariot_license.protocol.reader import find_blocks
from hypothesis import given
from hypothesis import strategies as st

from activations.domain import letters
from activations.domain.letters import LETTERS, LONGEST, MOST_LINES, PLACEHOLDERS, ReplyKind
from activations.domain.walk import Decision
from activations.domain.words import Action, Outcome

GOOD = "Hello,\n\n{customer_sentence}\n\n{block}\n\nBye\n"
CARRY = [kind for kind in ReplyKind if "block" in LETTERS[kind].required]


def code(kind: ReplyKind, text: str) -> str | None:
    found = letters.fault(kind, text)
    return found[0] if found else None


def test_every_kind_has_a_text_that_may_be_used() -> None:
    assert set(LETTERS) == set(ReplyKind)
    for kind, letter in LETTERS.items():
        assert letters.fault(kind, letter.shipped) is None, kind
        assert letters.tidy(letter.shipped) == letter.shipped
        assert set(letter.allowed) <= set(PLACEHOLDERS)
        assert len(letter.allowed) == len(set(letter.allowed))
        rendered = letters.render(letter.shipped, letters.example(kind))
        assert "{" not in rendered
        assert "}" not in rendered
        assert "\n\n\n" not in rendered


@pytest.mark.parametrize("kind", CARRY)
def test_the_usage_license_is_found_in_the_reply(kind: ReplyKind) -> None:
    block = write_block(Kind.LICENSE, bytes(range(200)))
    values = {**letters.example(kind), **letters.block_values(block)}
    reply = letters.render(LETTERS[kind].shipped, values)
    (found,) = find_blocks(reply)
    assert isinstance(found, FoundBlock)
    assert found.text == block
    assert block.splitlines()[0] in reply.split(block.strip())[0], "the first line is named before the block"


@given(st.sampled_from(["host", "license_id"]), st.text())
def test_what_fills_a_placeholder_is_never_read_again(name: str, value: str) -> None:
    text = "{customer_sentence} on {host} of {license_id}"
    values = {"customer_sentence": "A", "host": "B", "license_id": "C", "block": "WRONG", name: value}
    before, after = {"host": ("A on ", " of C"), "license_id": ("A on B of ", "")}[name]
    assert letters.render(text, values) == before + value + after


def test_a_host_called_like_a_placeholder_stays_text() -> None:
    values = {"customer_sentence": "{host} and {block}", "host": "{block}", "block": "SECRET"}
    assert letters.render("{customer_sentence}: {host}", values) == "{host} and {block}: {block}"


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (ReplyKind.ISSUED, GOOD, None),
        (ReplyKind.ISSUED, " \n ", "text-empty"),
        (ReplyKind.ISSUED, GOOD + "x" * LONGEST, "text-too-long"),
        (ReplyKind.ISSUED, GOOD + "x\n" * MOST_LINES, "text-too-long"),
        (ReplyKind.ISSUED, GOOD + "{lines}", "placeholder-unknown"),
        (ReplyKind.ISSUED, GOOD + "{Host}", "placeholder-unknown"),
        (ReplyKind.ISSUED, GOOD + "{ host }", "placeholder-unknown"),
        (ReplyKind.ISSUED, GOOD + "{}", "placeholder-unknown"),
        (ReplyKind.ISSUED, GOOD + "{host.__class__}", "placeholder-unknown"),
        (ReplyKind.ISSUED, GOOD + "{host", "brace-stray"),
        (ReplyKind.ISSUED, GOOD + "host}", "brace-stray"),
        (ReplyKind.ISSUED, GOOD + "{{host}}", "brace-stray"),
        (ReplyKind.ISSUED, "Hello, {customer_sentence}", "placeholder-missing"),
        (ReplyKind.ISSUED, "Here: {block}", "block-not-alone"),
        (ReplyKind.ISSUED, "{block}\n{block}", "block-not-alone"),
        (ReplyKind.ISSUED, "> {block}", "block-not-alone"),
        (ReplyKind.REFUSED, "No.", "placeholder-missing"),
        (ReplyKind.REFUSED, "No: {customer_sentence}", None),
        (ReplyKind.REFUSED, "{customer_sentence} {reason}", "placeholder-unknown"),
        (ReplyKind.DAMAGED, "Send it again", "placeholder-missing"),
        (ReplyKind.DENIED, "No, for {reason}", None),
        (ReplyKind.RESTORED, "Done.", None),
    ],
)
def test_what_a_text_must_and_may_hold(kind: ReplyKind, text: str, expected: str | None) -> None:
    assert code(kind, text) == expected


def test_a_text_that_hides_the_usage_license_is_refused() -> None:
    other = write_block(Kind.LICENSE, b"another one")
    assert code(ReplyKind.ISSUED, f"{other}\n{GOOD}") == "block-hidden"
    assert code(ReplyKind.ISSUED, f"{GOOD}\n{write_block(Kind.REQUEST, b'a request')}") == "block-hidden"


def test_a_fault_says_what_to_do() -> None:
    assert letters.fault(ReplyKind.REFUSED, "{custmer_sentence}") == (
        "placeholder-unknown",
        "{custmer_sentence} is no placeholder of this text. It has: {customer_sentence}, {license_id}, {host}.",
    )
    missing = letters.fault(ReplyKind.ISSUED, "Hello")
    assert missing is not None
    assert missing[1].startswith("{block} is missing (The whole Usage License, on lines of its own).")


def test_a_text_is_stored_with_plain_line_ends() -> None:
    assert letters.tidy("\r\n\r\nHello, \r\n\r\nBye\r\n\r\n") == "Hello,\n\nBye\n"


@pytest.mark.parametrize(
    ("lines", "words"), [((), ""), ((3,), "line 3"), ((3, 7), "lines 3 and 7"), ((3, 7, 9), "lines 3, 7 and 9")]
)
def test_lines_in_words(lines: tuple[int, ...], words: str) -> None:
    assert letters.listed(lines) == words


@pytest.mark.parametrize(
    ("outcome", "action", "kind"),
    [
        (Outcome.ISSUED, Action.NEW, ReplyKind.ISSUED),
        (Outcome.ISSUED, Action.UPDATE, ReplyKind.UPDATED),
        (Outcome.ISSUED, Action.REBIND, ReplyKind.UPDATED),
        (Outcome.ISSUED, Action.REINSTALL, ReplyKind.UPDATED),
        (Outcome.ISSUED, Action.FIND, ReplyKind.UPDATED),
        (Outcome.RESENT, Action.RESEND, ReplyKind.RESENT),
        (Outcome.REFUSED, None, ReplyKind.REFUSED),
        (Outcome.PENDING, None, ReplyKind.PENDING),
    ],
)
def test_which_reply_answers_which_decision(outcome: Outcome, action: Action | None, kind: ReplyKind) -> None:
    decision = Decision(outcome, "x", staff="", customer="", seats_before=0, seats_after=0, action=action)
    assert letters.kind_for(decision) is kind
