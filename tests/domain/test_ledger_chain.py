"""The ledger's canonical body and hash, and that every way of tampering with a chain is found, and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activations.domain.ledger import (
    GENESIS,
    PORTAL_CHAIN,
    Entry,
    Finding,
    Kind,
    Stored,
    body_hash,
    check_chain,
    read_body,
)

FIRST = Entry(
    chain="LIC-7K2M-9Q4T-H3XW-0B5N-C",
    seq=1,
    at="2026-03-01T09:30:00.000001Z",
    actor="manager",
    kind=Kind.LICENSE_CREATED,
    reason="",
    source="command",
    data={
        "seats": [1, 2],
        "allowed": 2,
        "customer": 'Wasserwerk "Süd" \u20ac',
        "versions": ["", "2.9"],
        "note": "a\nb\u001f",
        "features": [{"expires": None, "code": "mqtt-server"}],
        "\U0001f600": True,
        "\ufb33": 1.5,
    },
    prev=GENESIS,
)
BODY = (
    '{"actor":"manager","at":"2026-03-01T09:30:00.000001Z","chain":"LIC-7K2M-9Q4T-H3XW-0B5N-C","data":{"allowed":2,'
    '"customer":"Wasserwerk \\"Süd\\" €","features":[{"code":"mqtt-server","expires":null}],"note":"a\\nb\\u001f",'
    '"seats":[1,2],"versions":["","2.9"],"\U0001f600":true,"\ufb33":1.5},"kind":"license.created",'
    '"prev":"0000000000000000000000000000000000000000000000000000000000000000","reason":"","seq":1,"source":"command",'
    '"v":1}'
)


def test_golden_body_and_hash() -> None:
    """RFC 8785: keys by UTF-16 code units, shortest escapes, no spaces; the hash is SHA-256 over those bytes."""
    assert FIRST.body == BODY
    assert FIRST.hash == "6b191de40fb736f242a289c524e5ac3a1ee7cc2d7973f48118aabbfaed120c9d"
    assert FIRST.hash == hashlib.sha256(BODY.encode("utf-8")).hexdigest()
    assert read_body(BODY) == FIRST


def test_every_part_of_an_entry_is_hashed() -> None:
    others: dict[str, Any] = {
        "chain": "LIC-2",
        "seq": 2,
        "at": "2026-03-01T09:30:00.000002Z",
        "actor": "agent",
        "kind": "license.revoked",
        "reason": "x",
        "source": "desk",
        "data": {},
        "prev": "1" * 64,
    }
    assert others.keys() == vars(FIRST).keys()
    assert len({FIRST.hash, *(replace(FIRST, **{name: value}).hash for name, value in others.items())}) == 10


def chain(name: str, length: int) -> list[Entry]:
    """An honest chain of `length` entries, a second apart."""
    entries: list[Entry] = []
    for seq in range(1, length + 1):
        entries.append(
            Entry(
                chain=name,
                seq=seq,
                at=f"2026-03-01T09:30:{seq:02}.000000Z",
                actor="agent",
                kind=Kind.REQUEST_REFUSED,
                reason=f"reason {seq}",
                source="desk",
                data={"request_id": f"{seq:032}", "code": "no-seat"},
                prev=entries[-1].hash if entries else GENESIS,
            )
        )
    return entries


def stored(entry: Entry, **changes: Any) -> Stored:
    columns: dict[str, Any] = {
        "chain": entry.chain,
        "seq": entry.seq,
        "kind": str(entry.kind),
        "actor": entry.actor,
        "at": entry.at,
        "reason": entry.reason,
        "source": entry.source,
        "prev": entry.prev,
        "hash": entry.hash,
        "body": entry.body,
    }
    return Stored(**{**columns, **changes})


def rehashed(entry: Entry, body: str) -> Stored:
    """An entry whose body was replaced by someone who also made the hash fit."""
    return stored(entry, body=body, hash=hashlib.sha256(body.encode()).hexdigest())


def rechained(entries: list[Entry]) -> list[Stored]:
    """The entries chained anew: what somebody leaves behind who can write the whole table."""
    prev, made = GENESIS, []
    for entry in entries:
        linked = replace(entry, prev=prev)
        prev = linked.hash
        made.append(stored(linked))
    return made


def found(rows: Iterable[Stored]) -> list[tuple[str, int, str]]:
    return [(finding.chain, finding.seq, finding.problem) for finding in check_chain(rows)]


CHANGED = "its content or its hash was changed"
COLUMNS = "its searchable columns differ from its content"
UNLINKED = "does not follow the entry before it"
A = chain("LIC-A", 4)
ROWS = [stored(entry) for entry in A]
AROUND = (ROWS[:1], ROWS[2:])  # what stands before and after entry 2


def with_second(row: Stored) -> list[Stored]:
    before, after = AROUND
    return [*before, row, *after]


def test_an_honest_chain_has_no_findings() -> None:
    assert found(ROWS) == []
    assert found([]) == []
    assert found([*ROWS, *map(stored, chain("LIC-B", 2)), *map(stored, chain(PORTAL_CHAIN, 3))]) == []


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("kind", "request.pending", COLUMNS),
        ("actor", "somebody", COLUMNS),
        ("at", "2026-03-01T09:30:02.500000Z", COLUMNS),
        ("prev", "f" * 64, UNLINKED),
        ("body", A[1].body.replace("no-seat", "activated"), CHANGED),
        ("body", "", CHANGED),
        ("body", A[0].body, CHANGED),
    ],
)
def test_a_changed_column_is_found(name: str, value: str, problem: str) -> None:
    assert found(with_second(stored(A[1], **{name: value}))) == [("LIC-A", 2, problem)]


def test_a_changed_hash_is_found_on_both_sides() -> None:
    rows = with_second(replace(ROWS[1], hash="f" * 64))
    assert found(rows) == [("LIC-A", 2, CHANGED), ("LIC-A", 3, UNLINKED)]


def test_a_body_with_a_fitting_hash_breaks_the_next_link() -> None:
    forged = replace(A[1], data={**A[1].data, "code": "activated"})
    assert found(with_second(rehashed(A[1], forged.body))) == [("LIC-A", 3, UNLINKED)]


@pytest.mark.parametrize(
    ("gone", "findings"),
    [
        ({1}, [(2, "entry 1 is missing")]),
        ({2}, [(3, "entry 2 is missing")]),
        ({2, 3}, [(4, "entries 2 to 3 are missing")]),
        ({1, 3}, [(2, "entry 1 is missing"), (4, "entry 3 is missing")]),
        ({4}, []),  # a cut-off tail is what the chain's head and the checkpoints are for
    ],
)
def test_a_removed_entry_is_found(gone: set[int], findings: list[tuple[int, str]]) -> None:
    assert found(row for row in ROWS if row.seq not in gone) == [("LIC-A", seq, text) for seq, text in findings]


def test_removed_and_numbered_anew_is_found() -> None:
    rows = [ROWS[0], stored(replace(A[2], seq=2)), ROWS[3]]
    assert found(rows) == [("LIC-A", 2, UNLINKED), ("LIC-A", 4, "entry 3 is missing")]


def test_reordered_entries_are_found() -> None:
    """Sorted by number, as the table is read: the two changed their numbers."""
    swapped = [ROWS[0], replace(ROWS[2], seq=2), replace(ROWS[1], seq=3), ROWS[3]]
    assert found(swapped) == [("LIC-A", 2, UNLINKED), ("LIC-A", 3, UNLINKED), ("LIC-A", 4, UNLINKED)]
    with_numbers = [ROWS[0], stored(replace(A[2], seq=2)), stored(replace(A[1], seq=3)), ROWS[3]]
    assert found(with_numbers) == [("LIC-A", 2, UNLINKED), ("LIC-A", 3, UNLINKED), ("LIC-A", 4, UNLINKED)]


def test_an_entry_that_stands_twice_is_found() -> None:
    assert found([ROWS[0], ROWS[1], ROWS[1], *ROWS[2:]]) == [("LIC-A", 2, "stands after entry 2")]


def test_an_entry_of_another_chain_is_found() -> None:
    rows = with_second(stored(chain("LIC-B", 2)[1], chain="LIC-A"))
    assert found(rows) == [("LIC-A", 2, UNLINKED), ("LIC-A", 3, UNLINKED)]
    renamed = with_second(stored(replace(A[1], chain="LIC-B"), chain="LIC-A"))
    assert found(renamed) == [("LIC-A", 2, COLUMNS), ("LIC-A", 3, UNLINKED)]


def test_a_chain_that_does_not_begin_at_the_beginning_is_found() -> None:
    assert found([stored(replace(A[0], prev="f" * 64))]) == [("LIC-A", 1, UNLINKED)]
    assert found(rechained(A)) == []


def test_a_date_that_goes_backwards_is_found() -> None:
    early = replace(A[2], at="2026-03-01T09:30:01.999999Z")
    assert found(rechained([A[0], A[1], early, A[3]])) == [
        ("LIC-A", 3, "is dated before the entry it follows"),
    ]
    same = replace(A[2], at=A[1].at)
    assert found(rechained([A[0], A[1], same, A[3]])) == []


FIELDS = json.loads(A[0].body)
NOT_AN_ENTRY = "its content is not that of a ledger entry"
NOT_CANONICAL = "its content is not in canonical form"


def altered(**changes: Any) -> str:
    return json.dumps({**FIELDS, **changes}, sort_keys=True, separators=(",", ":"))


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("", "its content is not JSON"),
        ("{", "its content is not JSON"),
        ("[" * 100_000, "its content is not JSON"),
        ("null", NOT_AN_ENTRY),
        ("[]", NOT_AN_ENTRY),
        ("{}", NOT_AN_ENTRY),
        (altered(data=[]), NOT_AN_ENTRY),
        (altered(data=None), NOT_AN_ENTRY),
        (altered(seq="1"), NOT_AN_ENTRY),
        (altered(seq=True), NOT_AN_ENTRY),
        (altered(seq=1.0), NOT_AN_ENTRY),
        (altered(v=True), NOT_AN_ENTRY),
        (altered(actor=None), NOT_AN_ENTRY),
        (altered(more="x"), NOT_AN_ENTRY),
        (json.dumps({k: v for k, v in FIELDS.items() if k != "reason"}), NOT_AN_ENTRY),
        (altered(v=2), "its content is of another version than this one can read"),
        (altered(at="2026-03-01T09:30:01Z"), "its time is not written as UTC with microseconds"),
        (altered(at="2026-03-01T09:30:01.000000Z "), "its time is not written as UTC with microseconds"),
        (altered(at="2026-03-01 09:30:01.000000Z"), "its time is not written as UTC with microseconds"),
        (json.dumps(FIELDS), NOT_CANONICAL),
        (A[0].body + " ", NOT_CANONICAL),
        (A[0].body + "\n", NOT_CANONICAL),
        (A[0].body.replace('"seq":1', '"seq":1,"seq":1'), NOT_CANONICAL),
        (A[0].body.replace("no-seat", "no\\u002dseat"), NOT_CANONICAL),
        (altered(data={"number": float("nan")}), NOT_CANONICAL),
        (altered(data={"number": 2**53}), NOT_CANONICAL),
        (altered(data={"text": "\ud800"}), NOT_CANONICAL),
    ],
)
def test_a_body_that_is_no_entry_is_found(body: str, problem: str) -> None:
    """Even when its hash fits: only one spelling of an entry is an entry."""
    assert found([rehashed(A[0], body)]) == [("LIC-A", 1, problem)]
    with pytest.raises(ValueError, match=problem):
        read_body(body)


def test_a_finding_reads_as_a_sentence() -> None:
    assert str(Finding("LIC-A", 3, UNLINKED)) == "LIC-A entry 3: does not follow the entry before it"


TEXT = st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def chains(draw: st.DrawFn) -> list[Entry]:
    name, entries = draw(st.sampled_from(["LIC-A", "LIC-B"])), list[Entry]()
    second = 0
    for seq in range(1, draw(st.integers(1, 6)) + 1):
        second += draw(st.integers(0, 5))
        entries.append(
            Entry(
                chain=name,
                seq=seq,
                at=f"2026-03-01T09:30:{second:02}.000000Z",
                actor=draw(TEXT),
                kind=draw(st.sampled_from(Kind)),
                reason=draw(TEXT),
                source=draw(TEXT),
                data=draw(st.dictionaries(TEXT, JSON, max_size=3)),
                prev=entries[-1].hash if entries else GENESIS,
            )
        )
    return entries


@given(chains())
def test_honest_entries_hold_and_can_be_read_back(entries: list[Entry]) -> None:
    assert found(map(stored, entries)) == []
    for entry in entries:
        assert read_body(entry.body) == entry
        assert body_hash(entry.body) == entry.hash


@given(chains(), st.data())
def test_one_changed_character_is_found_at_its_entry(entries: list[Entry], data: st.DataObject) -> None:
    rows = [stored(entry) for entry in entries]
    index = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from(["body", "hash", "prev", "kind", "actor", "at"]))
    text = getattr(rows[index], name)
    at = data.draw(st.integers(0, max(len(text) - 1, 0)))
    other = data.draw(st.characters(codec="utf-8").filter(lambda c: c != text[at : at + 1]))
    rows[index] = replace(rows[index], **{name: text[:at] + other + text[at + 1 :]})
    findings = found(rows)
    assert findings[0][:2] == (rows[index].chain, rows[index].seq)
    # A hash is named by the entry that follows too; a date may also make that one look early.
    assert [seq for _, seq, _ in findings[1:]] in ([], [rows[index].seq + 1])


@given(chains(), st.data())
def test_anything_but_a_cut_off_tail_is_found(entries: list[Entry], data: st.DataObject) -> None:
    rows = [stored(entry) for entry in entries]
    kept = data.draw(st.lists(st.sampled_from(rows), max_size=8))
    honest = kept == rows[: len(kept)]
    assert (found(kept) == []) == honest
