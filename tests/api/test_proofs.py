"""Checkpoints and proofs over the API, checked by somebody who has the answers, the key and the verifier."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from chariot_ledger_read import consistent, hashes, inclusion_root, read_key, read_note, signed_by
from django.db import connection

from activations.domain.merkle import verify_consistency, verify_inclusion
from activations.domain.scopes import Scope
from activations.models import LedgerCheckpoint, LedgerEntry, LedgerLeaf
from activations.services.licenses import LicenseCreated
from tests.api.calling import Answer, Caller, machine
from tests.api.situations import pages
from tests.portal.cast import book_many
from tests.portal.test_checkpoints import checkpoint
from tests.portal.verifying import portal_key
from tests.support import without_triggers

pytestmark = pytest.mark.django_db


@pytest.fixture
def archive(signing_keys: None) -> Caller:
    return machine(Scope.READ_LEDGER, name="archive", rate=6000)


def refused(answer: Answer, status: int, code: str) -> Answer:
    assert (answer.status, answer.code) == (status, code), answer
    return answer


def hashes_of(answer: Answer) -> list[bytes]:
    return [bytes.fromhex(each) for each in answer["path"]]


@pytest.fixture
def sizes(archive: Caller, license: LicenseCreated) -> list[int]:
    """Four checkpoints of a growing ledger, over more than one tile."""
    made = [checkpoint().size]
    for count in (1, 250, 6):
        book_many(count)
        made.append(checkpoint().size)
    return made


def test_checkpoints_are_listed_and_signed(archive: Caller, sizes: list[int]) -> None:
    answer = archive.get("/ledger/checkpoints")
    assert [each["size"] for each in answer["results"]] == sizes[::-1]
    for each in answer["results"]:
        row = LedgerCheckpoint.objects.get(size=each["size"])
        assert each == {
            "size": row.size,
            "root": row.root,
            "note": row.note,
            "created_at": f"{row.created_at:%Y-%m-%dT%H:%M:%S.%fZ}",
        }
        note = read_note(each["note"], "the answer")
        assert (note.size, note.root.hex()) == (each["size"], each["root"])
        assert signed_by(note, [read_key(portal_key())])
        one = archive.get(f"/ledger/checkpoints/{each['size']}")
        assert one.json == each
        assert (
            archive.get(f"/ledger/checkpoints/{each['size']}", headers={"If-None-Match": one.headers["ETag"]}).status
            == 304
        )
    assert [
        each["size"] for page in pages(archive, "/ledger/checkpoints", page_size=3) for each in page["results"]
    ] == sizes[::-1]
    for wrong in (sizes[0] + 5, 0, 10**30):
        refused(archive.get(f"/ledger/checkpoints/{wrong}"), 404, "checkpoint-unknown")
    refused(archive.get("/ledger/checkpoints", size=3), 400, "invalid")


def test_entries_are_proved_to_whoever_has_the_key(archive: Caller, license: LicenseCreated, sizes: list[int]) -> None:
    key = read_key(portal_key())
    for row in LedgerEntry.objects.select_related("leaf").filter(leaf__index__in=[0, 2, 100, 255, 256, sizes[-1] - 1]):
        for size in sizes:
            answer = archive.get("/ledger/proofs/inclusion", chain=row.chain, seq=row.seq, size=size)
            if row.leaf.index >= size:
                refused(answer, 409, "not-covered")
                continue
            assert answer.status == 200, answer
            assert (answer["chain"], answer["seq"], answer["size"]) == (row.chain, row.seq, size)
            assert (answer["index"], answer["body"]) == (row.leaf.index, row.body)
            note = read_note(answer["checkpoint"], "the answer")
            assert signed_by(note, [key])
            assert note.size == size
            leaf = hashlib.sha256(b"\x00" + answer["body"].encode()).digest()
            assert leaf.hex() == answer["leaf"]
            path = hashes_of(answer)
            assert verify_inclusion(answer["index"], size, leaf, path, note.root)
            assert inclusion_root(leaf, answer["index"], size, path) == note.root
            assert not verify_inclusion(answer["index"], size, hashlib.sha256(b"other").digest(), path, note.root)
            head, index, *lines = answer["proof"].split("\n\n", 1)[0].split("\n")
            assert (head, index) == ("c2sp.org/tlog-proof@v1", f"index {row.leaf.index}")
            assert hashes(lines) == path
            assert answer["proof"].endswith(answer["checkpoint"])
    newest = archive.get("/ledger/proofs/inclusion", chain=license.license_id.lower(), seq=1)
    assert (newest["size"], newest["chain"]) == (sizes[-1], license.license_id)


def test_checkpoints_continue_each_other(archive: Caller, sizes: list[int]) -> None:
    roots = {each["size"]: bytes.fromhex(each["root"]) for each in archive.get("/ledger/checkpoints")["results"]}
    for old in sizes:
        for new in sizes:
            answer = archive.get("/ledger/proofs/consistency", old=old, new=new)
            if old > new:
                refused(answer, 422, "sizes-reversed")
                continue
            assert (answer.status, answer["old"], answer["new"]) == (200, old, new), answer
            path = hashes_of(answer)
            assert verify_consistency(old, roots[old], new, roots[new], path)
            assert consistent(old, roots[old], new, roots[new], path)
            if old != new:
                assert not consistent(old, hashlib.sha256(b"other").digest(), new, roots[new], path)
            head, *lines = answer["proof"].split("\n\n", 1)[0].split("\n")
            assert (head, [base64.b64decode(line) for line in lines if line]) == (f"old {old}", path)
    assert archive.get("/ledger/proofs/consistency", old=sizes[0])["new"] == sizes[-1]
    assert archive.get("/ledger/proofs/consistency", old=0)["path"] == []


@pytest.mark.parametrize(
    ("path", "asked", "expected"),
    [
        ("inclusion", {}, (400, "invalid")),
        ("inclusion", {"chain": "portal"}, (400, "invalid")),
        ("inclusion", {"chain": "portal", "seq": 0}, (400, "invalid")),
        ("inclusion", {"chain": "portal", "seq": 10**30}, (400, "invalid")),
        ("inclusion", {"chain": "portal", "seq": 1, "colour": "red"}, (400, "invalid")),
        ("inclusion", {"chain": "portal", "seq": [1, 2]}, (400, "unreadable")),
        ("inclusion", {"chain": "portal", "seq": 10_000}, (404, "entry-unknown")),
        ("inclusion", {"chain": "LIC-1", "seq": 1}, (422, "license-id-length")),
        ("inclusion", {"chain": "portal", "seq": 1, "size": 3}, (404, "checkpoint-unknown")),
        ("consistency", {}, (400, "invalid")),
        ("consistency", {"old": -1}, (400, "invalid")),
        ("consistency", {"old": "one"}, (400, "invalid")),
        ("consistency", {"old": 2**53}, (400, "invalid")),
        ("consistency", {"old": 1, "new": 3}, (404, "checkpoint-unknown")),
    ],
)
def test_proofs_that_there_are_not(
    archive: Caller, sizes: list[int], path: str, asked: dict[str, Any], expected: tuple[int, str]
) -> None:
    refused(archive.get(f"/ledger/proofs/{path}", **asked), *expected)


def test_before_the_first_checkpoint_there_is_nothing_to_prove(archive: Caller, license: LicenseCreated) -> None:
    refused(archive.get("/ledger/proofs/inclusion", chain="portal", seq=1), 409, "no-checkpoint")
    refused(archive.get("/ledger/proofs/consistency", old=1), 409, "no-checkpoint")
    assert archive.get("/ledger/checkpoints").json == {"next": None, "previous": None, "results": []}


def test_a_tree_that_lost_a_leaf_is_said_so(archive: Caller, sizes: list[int]) -> None:
    last = LedgerEntry.objects.get(leaf__index=sizes[-1] - 1)
    connection.check_constraints()
    with without_triggers(connection):
        LedgerLeaf.objects.filter(index=sizes[-1] - 2).delete()
    refused(archive.get("/ledger/proofs/inclusion", chain=last.chain, seq=last.seq), 409, "tree-incomplete")
