"""Exports and kept files of the first version of the format, byte for byte, and what the verifier says of them."""

from __future__ import annotations

import pytest
from chariot_ledger_verify import main

from tests.verifier.make_golden import DATA, golden

KEY = (DATA / "key.txt").read_text().strip()
ENTRY_5 = "ntry 2 of LIC-BBBB-0002 (index 5, activation.created, 2026-11-24T00:00:05.000000Z)"


@pytest.mark.parametrize("name", golden())
def test_the_bytes(name: str) -> None:
    assert (DATA / name).read_bytes() == golden()[name].encode()


@pytest.mark.parametrize(
    ("export", "kept", "exit_code", "said"),
    [
        ("export.jsonl", "kept", 0, "OK: The 24 entries of licensing.example.com/ledger are what was kept.\n"),
        ("export.jsonl", "", 3, "UNCHECKED: Nothing is wrong with the 24 entries of licensing.example.com/ledger"),
        ("changed.jsonl", "", 1, f"BROKEN: E{ENTRY_5} was changed: its content is not what its hash was made of.\n"),
        ("rewritten.jsonl", "", 3, "UNCHECKED: "),
        ("rewritten.jsonl", "kept/checkpoint-16.txt", 1, "BROKEN: The entries from index 0 to 15 are not those that"),
        ("rewritten.jsonl", "kept", 1, f"BROKEN: E{ENTRY_5} was changed: it is not what your leaf hashes"),
        (
            "cut-off.jsonl",
            "kept",
            1,
            "BROKEN: The entries from index 10 on that your checkpoint checkpoint-16.txt (size ",
        ),
        ("license.jsonl", "kept", 3, "UNCHECKED: "),
        (
            "license.jsonl",
            "export.jsonl",
            0,
            'OK: The 8 entries of licensing.example.com/ledger with the filter {"license": ',
        ),
        ("key.txt", "kept", 2, "UNREADABLE: "),
    ],
)
def test_the_verdict(capsys: pytest.CaptureFixture[str], export: str, kept: str, exit_code: int, said: str) -> None:
    more = ["--kept", str(DATA / kept)] if kept else []

    assert main([str(DATA / export), "--key", KEY, *more]) == exit_code
    assert capsys.readouterr().out.startswith(said)
