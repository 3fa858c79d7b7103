"""docs/vectors/text-block.json: the published known answers are what this code does, and never change unnoticed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from chariot_license.protocol.base32 import check_characters
from chariot_license.protocol.block import Kind, block_id, make_frame, numbered_lines, write_block
from chariot_license.protocol.qr import qr_payload
from chariot_license.protocol.reader import find_blocks

from tests.protocol.make_block_vectors import FILE, answer, render

VECTORS: dict[str, Any] = json.loads(FILE.read_bytes())

# SHA-256 of the texts. A change here breaks every Chariot in the field: it needs a new label in the digest.
GOLDEN = {
    "nothing": "efd01aa08e054be0ff59e95baa1f56790b8905a0ee0ce67bf925f752d5368266",
    "words": "bae2fe9efaad00218a5d32a4fec3b975df7ede1f9c842dd9df2d00293a4bfcbb",
    "one line filled": "22b10f6c7788177afa466674066ae4455531000f71bed6266c76fbb02b8d3188",
    "one byte more": "4e14e808169b4c35ab025ae9dc01e6a9b404e33e22718f02c94686fa4790b1c8",
    "the same bytes as a license": "d7e8bd592fe35a1a78a69be0b84c5dc888386886408a01090799d494af0ce77c",
    "largest request": "ab18ab4cb6dca91526af7eef6f1e796dffd3aa41b15d7b818584d3b621c0dcec",
    "usual license": "317491abdb682cf324918fb2890f9fec0ff39e477a4bdef0cea4143bfd80f184",
}


def test_the_file_is_what_the_generator_writes() -> None:
    assert FILE.read_bytes() == render()


def test_the_texts_never_change() -> None:
    found = {one["name"]: hashlib.sha256((one["text"] + one["qr"]).encode()).hexdigest() for one in VECTORS["written"]}
    assert found == GOLDEN


@pytest.mark.parametrize("one", VECTORS["written"], ids=lambda one: one["name"])
def test_written(one: dict[str, Any]) -> None:
    kind, data = Kind(one["kind"]), bytes.fromhex(one["data"])
    assert make_frame(kind, data) == bytes.fromhex(one["frame"])
    assert block_id(kind, data) == one["block_id"]
    assert numbered_lines(kind, data) == [bytes.fromhex(line) for line in one["lines"]]
    assert write_block(kind, data) == one["text"]
    assert qr_payload(kind, data) == one["qr"]
    for source in (one["text"], one["qr"]):
        assert [answer(block) for block in find_blocks(source)] == [
            {"kind": one["kind"], "data": one["data"], "repaired": []}
        ]


@pytest.mark.parametrize("one", VECTORS["read"], ids=lambda one: one["name"])
def test_read(one: dict[str, Any]) -> None:
    source = one["text"] if "text" in one else bytes.fromhex(one["bytes"])
    assert [answer(block) for block in find_blocks(source)] == one["found"]


def test_check_characters() -> None:
    for one in VECTORS["check_characters"]:
        assert check_characters(one["label"], one["data"], 2) == one["check"]
