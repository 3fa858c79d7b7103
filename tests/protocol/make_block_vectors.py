"""Writes docs/vectors/text-block.json, the known answers of text block, reader and QR text. By hand, after a
change of format:

    python -m tests.protocol.make_block_vectors

test_block_vectors.py holds the file to its bytes and the code to the file.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from chariot_license.protocol.base32 import check_characters
from chariot_license.protocol.block import (
    LINE_CHARACTERS,
    DamagedBlock,
    FoundBlock,
    Kind,
    block_id,
    line_label,
    make_frame,
    numbered_lines,
    write_block,
)
from chariot_license.protocol.qr import qr_payload
from chariot_license.protocol.reader import find_blocks

from tests.protocol.damage_by_mail import KINDS

FILE = Path(__file__).resolve().parents[2] / "docs" / "vectors" / "text-block.json"


def counted(length: int) -> bytes:
    """Bytes that nobody takes for anything: 0, 7, 14 ..."""
    return bytes(number * 7 % 256 for number in range(length))


CONTENTS = {
    "nothing": (Kind.LICENSE, b""),
    "words": (Kind.REQUEST, b"Chariot MQTT Server"),
    "one line filled": (Kind.REQUEST, counted(25)),
    "one byte more": (Kind.REQUEST, counted(26)),
    "the same bytes as a license": (Kind.LICENSE, counted(26)),
    "largest request": (Kind.REQUEST, counted(366)),
    "usual license": (Kind.LICENSE, counted(900)),
}


def written(name: str) -> dict[str, Any]:
    """One block in all its forms."""
    kind, data = CONTENTS[name]
    return {
        "name": name,
        "kind": kind.value,
        "data": data.hex(),
        "frame": make_frame(kind, data).hex(),
        "block_id": block_id(kind, data),
        "lines": [line.hex() for line in numbered_lines(kind, data)],
        "text": write_block(kind, data),
        "qr": qr_payload(kind, data),
    }


def answer(block: FoundBlock | DamagedBlock) -> dict[str, Any]:
    """What a reader says of a block; the message is left to each reader."""
    kind = block.kind.value if block.kind else None
    if isinstance(block, FoundBlock):
        return {"kind": kind, "data": block.data.hex(), "repaired": list(block.repaired)}
    return {"kind": kind, "lines": block.lines, "damaged": list(block.damaged), "missing": list(block.missing)}


def mails() -> list[dict[str, Any]]:
    """One small block through each kind of damage, as text or as bytes, and what is read of it."""
    cases = []
    for one in KINDS.values():
        source = one.apply(random.Random(one.name), write_block(Kind.REQUEST, counted(100)))
        form = {"text": source} if isinstance(source, str) else {"bytes": source.hex()}
        cases.append({"name": one.name, **form, "found": [answer(block) for block in find_blocks(source)]})
    return cases


def checks() -> list[dict[str, str]]:
    """Check characters of a line for a few labels and data."""
    labels = [line_label(kind, name, number) for kind in Kind for name in ("0000", "7K2M") for number in (1, 14, 99)]
    datas = ["0" * LINE_CHARACTERS, "Z" * LINE_CHARACTERS, "0123456789ABCDEFGHJKMNPQRSTVWXYZ0123456789ABCDEFG8"]
    return [
        {"label": label, "data": data, "check": check_characters(label, data, 2)} for label in labels for data in datas
    ]


def render() -> bytes:
    """The bytes of the file."""
    content = {"check_characters": checks(), "written": [written(name) for name in CONTENTS], "read": mails()}
    return (json.dumps(content, indent=1) + "\n").encode("ascii")


if __name__ == "__main__":
    FILE.write_bytes(render())
