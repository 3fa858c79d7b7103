"""Whatever is done to an export, at random: it is found, and the place where it begins is named."""

from __future__ import annotations

import json
import random
from argparse import Namespace
from pathlib import Path

import chariot_ledger_verify
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.verifier.ledger import Files, Ledger, export_text, made

LEDGER = made(90)
PLAIN = export_text(LEDGER)
CHECKED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
INDEX = st.integers(0, 89)
STEP = st.tuples(st.sampled_from(["change", "remove", "insert", "swap", "cut"]), INDEX, INDEX)


def done_to(ledger: Ledger, step: tuple[str, int, int]) -> Ledger:
    what, one, other = step
    one, other = one % len(ledger.bodies), other % len(ledger.bodies)
    bodies = list(ledger.bodies)
    if what == "swap":
        bodies[one], bodies[other] = bodies[other], bodies[one]
        return Ledger(tuple(bodies))
    if what == "change":
        return ledger.told(one, actor=f"lead {other}")
    if what == "remove" and len(bodies) > 1:
        return ledger.put(one, instead=1)
    if what == "insert":
        return ledger.put(one, bodies[other])
    return Ledger(ledger.bodies[: max(one, 1)])


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    files = Files(tmp_path_factory.mktemp("kept"))
    return {"folder": files.witness(LEDGER, 30, 90), "export": files.export(LEDGER), "note": files.write(LEDGER.note())}


@CHECKED
@given(st.lists(STEP, min_size=1, max_size=3), st.booleans(), st.sampled_from(["folder", "export", "note"]))
def test_what_was_done_to_the_ledger(
    tmp_path: Path, kept: dict[str, str], steps: list[tuple[str, int, int]], rehashed: bool, what: str
) -> None:
    forged = LEDGER
    for step in steps:
        forged = done_to(forged, step)
    forged = forged.rehashed() if rehashed else forged
    (tmp_path / "export").write_text(export_text(forged))

    answer = chariot_ledger_verify.verify(_asked(tmp_path / "export", kept[what]), print)

    if forged == LEDGER:
        assert answer["exit_code"] == 0
        return
    assert answer["exit_code"] == 1, answer
    pairs = zip(LEDGER.bodies, forged.bodies, strict=False)
    begins = next((at for at, (ours, theirs) in enumerate(pairs) if ours != theirs), None)
    if begins is None and len(forged.bodies) > 90:
        return  # only more entries behind what was kept, which contradict the chain
    expected = min(90, len(forged.bodies)) if begins is None else begins
    if what != "note":
        assert answer["first"]["index"] == expected, answer
    elif answer["first"]["what"] == "rewritten":
        assert answer["first"]["index"] <= expected <= answer["first"]["last_index"]


@CHECKED
@given(st.randoms(use_true_random=False), st.integers(1, 3))
def test_bytes_of_the_file_at_random(tmp_path: Path, kept: dict[str, str], rng: random.Random, count: int) -> None:
    header, _, rest = PLAIN.partition("\n")
    data = bytearray(rest.encode())
    for _ in range(count):
        data[rng.randrange(len(data))] = rng.randrange(256)
    (tmp_path / "export").write_bytes(header.encode() + b"\n" + data)

    answer = chariot_ledger_verify.verify(_asked(tmp_path / "export", kept["folder"]), print)

    if answer["exit_code"] == 0:  # white space in the JSON
        assert [json.loads(line) for line in data.splitlines()] == [json.loads(line) for line in rest.splitlines()]
    else:
        assert answer["exit_code"] in (1, 2)
        assert (answer["exit_code"] == 1) == (answer["first"] is not None)


def _asked(export: Path, kept: str) -> Namespace:
    return Namespace(export=str(export), kept=[kept], key=[], proof=[], older=False)
