"""What the verifier says of every attack, with each kind of thing that an auditor may have kept."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from activations.domain.merkle import Range, consistency_proof
from tests.verifier.conftest import Verify
from tests.verifier.ledger import Files, Ledger, made, vkey

LEDGER = made(600)
KEPT = 520  # the size of what was kept, two full tiles and a part


def keep(files: Files, what: str) -> list[str]:
    if what == "notes":
        return [files.write(LEDGER.note(size)) for size in (100, 300, KEPT)]
    if what == "folder":
        return [files.witness(LEDGER, 100, 300, KEPT, partial=(300,))]
    if what == "export":
        return [files.export(Ledger(LEDGER.bodies[:KEPT]), made_at="2026-11-24T14:00:00.000000Z")]
    return [files.leaves(LEDGER, 0, 300), files.leaves(LEDGER, 300, KEPT, LEDGER.note(KEPT))]


ONE = "LIC-BBBB-0002"
EVERYTHING = ("notes", "folder", "export", "mails")
WITH_LEAVES = EVERYTHING[1:]


def first(answer: dict[str, Any]) -> tuple[object, ...]:
    assert answer["exit_code"] == 1, answer
    return tuple(answer["first"][name] for name in ("what", "license", "seq", "index"))


def at(index: int, what: str, ledger: Ledger = LEDGER) -> tuple[object, ...]:
    entry = ledger.entry(index)
    return what, entry.chain, entry.seq, index


@pytest.mark.parametrize("what", EVERYTHING)
def test_an_untouched_ledger_is_ok(files: Files, verify: Verify, what: str) -> None:
    answer = verify(files.export(LEDGER), kept=keep(files, what), key=[vkey()])

    assert (answer["exit_code"], answer["verdict"], answer["first"]) == (0, "ok", None)
    assert (answer["entries"], answer["size"], answer["unchecked"]) == (600, 600, [])


def test_without_anything_kept_it_says_so(files: Files, verify: Verify) -> None:
    answer = verify(files.export(LEDGER))

    assert (answer["exit_code"], answer["verdict"]) == (3, "unchecked")
    assert "Nothing that you kept was given" in answer["unchecked"][0]
    assert "No signature was checked" in answer["remarks"][0]


@pytest.mark.parametrize("what", EVERYTHING)
def test_one_byte_of_an_old_entry(files: Files, verify: Verify, what: str) -> None:
    lines = LEDGER.lines()
    lines[200]["body"] = lines[200]["body"].replace("Acme Water", "Acne Water")

    answer = verify(files.export(LEDGER, lines=lines), kept=keep(files, what))

    assert first(answer) == at(200, "changed")
    assert (answer["first"]["kind"], answer["first"]["time"]) == (LEDGER.entry(200).kind, LEDGER.entry(200).at)
    assert "index 200" in answer["message"]


@pytest.mark.parametrize("what", EVERYTHING)
@pytest.mark.parametrize("renumbered", [False, True])
def test_one_removed(files: Files, verify: Verify, what: str, renumbered: bool) -> None:
    lines = LEDGER.lines()
    if renumbered:
        lines = LEDGER.put(200, instead=1).lines()
    else:
        del lines[200]

    answer = verify(files.export(LEDGER, lines=lines), kept=keep(files, what))

    if renumbered and what == "notes":  # nothing but its number in the chain is known
        assert first(answer) == ("removed", LEDGER.entry(200).chain, LEDGER.entry(200).seq, None)
    else:
        assert first(answer) == at(200, "removed")


@pytest.mark.parametrize("what", EVERYTHING)
def test_one_inserted_with_a_chain_that_looks_good(files: Files, verify: Verify, what: str) -> None:
    forged = LEDGER.put(200, LEDGER.entry(199).body).rehashed()

    answer = verify(files.export(forged), kept=keep(files, what))

    if what == "notes":
        assert first(answer) == at(100, "rewritten", forged)
        assert answer["first"]["last_index"] == 299
    else:
        assert first(answer) == at(200, "added", forged)


@pytest.mark.parametrize("what", EVERYTHING)
def test_two_swapped(files: Files, verify: Verify, what: str) -> None:
    bodies = list(LEDGER.bodies)
    near = next(at for at in range(201, 600) if LEDGER.entry(at).chain != LEDGER.entry(200).chain)
    bodies[200], bodies[near] = bodies[near], bodies[200]
    forged = Ledger(tuple(bodies))

    answer = verify(files.export(forged), kept=keep(files, what))

    if what != "notes":
        assert first(answer) == at(200, "reordered", forged)
    elif near == 201:
        assert first(answer) == at(100, "rewritten", forged)


@pytest.mark.parametrize("what", EVERYTHING)
def test_two_of_one_chain_swapped(files: Files, verify: Verify, what: str) -> None:
    one, other = LEDGER.of(ONE)[20:22]
    bodies = list(LEDGER.bodies)
    bodies[one], bodies[other] = bodies[other], bodies[one]
    forged = Ledger(tuple(bodies))

    assert first(verify(files.export(forged), kept=keep(files, what))) == at(one, "reordered", forged)


@pytest.mark.parametrize("what", EVERYTHING)
@pytest.mark.parametrize("left", [400, 256, 0])
def test_the_tail_cut_off(files: Files, verify: Verify, what: str, left: int) -> None:
    answer = verify(files.export(Ledger(LEDGER.bodies[:left])), kept=keep(files, what))

    assert answer["exit_code"] == 1
    assert (answer["first"]["what"], answer["first"]["index"]) == ("cut-off", left)
    assert f"from index {left} on" in answer["message"]
    assert "are missing" in answer["message"]
    if what == "export":
        assert first(answer) == at(left, "cut-off")


def test_the_tail_cut_off_under_the_ledgers_own_checkpoint(files: Files, verify: Verify) -> None:
    answer = verify(files.export(LEDGER, lines=LEDGER.lines()[:590]), kept=keep(files, "folder"))

    assert (answer["first"]["what"], answer["first"]["index"]) == ("cut-off", 590)


@pytest.mark.parametrize("what", EVERYTHING)
def test_everything_rewritten_consistently(files: Files, verify: Verify, what: str) -> None:
    forged = LEDGER.told(200, actor="lead").rehashed()

    answer = verify(files.export(forged), kept=keep(files, what), key=[vkey()])

    if what == "notes":
        assert first(answer) == at(100, "rewritten", forged)
        assert "from index 100 to 299" in answer["message"]
    else:
        assert first(answer) == at(200, "changed", forged)


@pytest.mark.parametrize("what", WITH_LEAVES)
def test_one_removed_and_everything_rewritten(files: Files, verify: Verify, what: str) -> None:
    answer = verify(files.export(LEDGER.put(200, instead=1).rehashed()), kept=keep(files, what))

    assert (answer["first"]["what"], answer["first"]["index"]) == ("removed", 200)
    if what == "export":
        assert first(answer) == at(200, "removed")


def test_one_added_behind_the_checkpoint_and_dated_before_it(files: Files, verify: Verify) -> None:
    """It continues its chain in good order: nothing else tells that it was not there when the checkpoint was made."""
    bare = Ledger(tuple(body for body in LEDGER.bodies if f'"{ONE}"' not in body or LEDGER.bodies.index(body) < 50))
    backdated = replace(bare.entry(bare.of(ONE)[-1]), kind="activation.lost")
    forged = bare.put(len(bare.bodies), backdated.body).rehashed()
    kept = files.write(bare.note())

    assert verify(files.export(bare), kept=[kept])["exit_code"] == 0
    assert first(verify(files.export(forged), kept=[kept])) == at(len(bare.bodies), "added", forged)


def test_an_export_that_is_older_is_no_alarm(files: Files, verify: Verify) -> None:
    old = files.export(Ledger(LEDGER.bodies[:400]), made_at="2026-11-23T10:00:00.000000Z")

    for what in ("folder", "export", "mails"):
        answer = verify(old, "--older", kept=keep(files, what))
        assert answer["exit_code"] == 0, answer
        assert "it is newer" in "".join(answer["checked"])
    answer = verify(old, "--older", kept=keep(files, "notes"))
    assert (answer["exit_code"], answer["first"]) == (3, None)
    assert f"covers {KEPT} entries, the export 400: it is newer" in "".join(answer["unchecked"])
    answer = verify(old, kept=keep(files, "export"))  # whose header says when it was made
    assert answer["exit_code"] == 3
    assert "says that it is the older one" in answer["unchecked"][0]


def test_an_older_export_is_still_compared(files: Files, verify: Verify) -> None:
    forged = Ledger(LEDGER.told(200, actor="lead").rehashed().bodies[:400])

    answer = verify(files.export(forged), "--older", kept=keep(files, "folder"))

    assert first(answer) == at(200, "changed", forged)


# --- keys ----------------------------------------------------------------------------------------------------


def test_another_key_than_yours(files: Files, verify: Verify) -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))

    answer = verify(files.export(LEDGER), kept=keep(files, "notes"), key=[vkey(other)])
    assert (answer["exit_code"], answer["first"]["what"]) == (1, "signature")

    # After a rotation both are given; what was kept before is signed by the old one.
    rotated = files.export(LEDGER, note=LEDGER.note(private=other))
    assert verify(rotated, kept=keep(files, "notes"), key=[vkey(other), vkey()])["exit_code"] == 0
    answer = verify(rotated, kept=keep(files, "notes"), key=[vkey(other)])
    assert answer["exit_code"] == 0
    assert "a key that you did not give" in answer["remarks"][0]


def test_a_rewritten_ledger_under_another_key_is_named_by_its_entry(files: Files, verify: Verify) -> None:
    forged = LEDGER.told(200, actor="lead").rehashed()
    note = forged.note(private=Ed25519PrivateKey.from_private_bytes(bytes(32)))

    answer = verify(files.export(forged, note=note), kept=keep(files, "folder"), key=[vkey()])

    assert first(answer) == at(200, "changed", forged)


def test_a_kept_checkpoint_that_is_damaged(files: Files, verify: Verify) -> None:
    kept = files.write(LEDGER.note(300).replace("\n300\n", "\n301\n"))

    answer = verify(files.export(LEDGER), kept=[kept], key=[vkey()])

    assert (answer["exit_code"], "its signature does not fit" in answer["message"]) == (2, True)


def test_a_signature_that_does_not_fit(files: Files, verify: Verify) -> None:
    note = LEDGER.note().replace(f"\n{len(LEDGER.bodies)}\n", "\n600\n")
    forged = Ledger(LEDGER.told(300, actor="lead").rehashed().bodies)
    signature = note.split("\n\n")[1]
    export = files.export(forged, note=forged.note().split("\n\n")[0] + "\n\n" + signature)

    answer = verify(export, key=[vkey()])

    assert (answer["exit_code"], answer["first"]["what"]) == (1, "signature")


# --- exports of some entries ---------------------------------------------------------------------------------


def of_one(files: Files, ledger: Ledger, leave_out: int | None = None, filter: dict[str, str] | None = None) -> str:
    chosen = [index for index in ledger.of(ONE) if index != leave_out]
    return files.export(ledger, lines=ledger.lines(chosen), filter=filter or {"license": ONE})


@pytest.mark.parametrize("what", ["folder", "export"])
def test_one_license_with_all_leaf_hashes(files: Files, verify: Verify, what: str) -> None:
    complete = Ledger(LEDGER.bodies[:KEPT])

    assert verify(of_one(files, complete), kept=keep(files, what))["exit_code"] == 0
    forged = Ledger(LEDGER.told(LEDGER.of(ONE)[20], actor="lead").rehashed().bodies[:KEPT])
    answer = verify(of_one(files, forged), kept=keep(files, what))
    assert first(answer) == at(LEDGER.of(ONE)[20], "changed", forged)
    # Another license was rewritten: this one is as it was, the ledger is not.
    forged = Ledger(LEDGER.told(LEDGER.of("portal")[20], actor="lead").rehashed().bodies[:KEPT])
    answer = verify(of_one(files, forged), kept=keep(files, what))
    assert answer["first"]["what"] == "rewritten"


def test_one_license_with_a_note_and_a_consistency_proof(files: Files, verify: Verify) -> None:
    leaves = LEDGER.leaves()
    steps = consistency_proof(KEPT, 600, lambda level, i: Range().grown(leaves[i << level : (i + 1) << level]).root)
    text = f"old {KEPT}\n" + "".join(f"{base64.b64encode(step).decode()}\n" for step in steps)
    proof = files.write(f"{text}\n{LEDGER.note()}")
    kept = files.write(LEDGER.note(KEPT))

    answer = verify(of_one(files, LEDGER), kept=[kept])
    assert answer["exit_code"] == 3
    assert "give a consistency proof" in answer["unchecked"][0]
    assert verify(of_one(files, LEDGER), kept=[kept], proof=[proof])["exit_code"] == 0
    forged = files.write(LEDGER.told(5, actor="lead").rehashed().note(KEPT))
    answer = verify(of_one(files, LEDGER), kept=[forged], proof=[proof])
    assert (answer["exit_code"], answer["first"]["what"]) == (1, "rewritten")
    other = files.write(f"{text}\n{LEDGER.note(599)}")
    assert verify(of_one(files, LEDGER), kept=[kept], proof=[other])["exit_code"] == 2


def test_one_license_with_an_entry_left_out(files: Files, verify: Verify) -> None:
    index = LEDGER.of(ONE)[20]

    answer = verify(of_one(files, LEDGER, leave_out=index), kept=keep(files, "folder"))

    assert first(answer) == ("removed", ONE, 21, None)
    assert verify(of_one(files, LEDGER, leave_out=index, filter={"kind": "x"}))["exit_code"] == 3


def test_one_license_with_its_last_entry_left_out(files: Files, verify: Verify) -> None:
    """Only an earlier export tells that: the chain ends where it ends, and hashes do not say whose they are."""
    complete = Ledger(LEDGER.bodies[:KEPT])
    index = complete.of(ONE)[-1]

    assert first(verify(of_one(files, complete, leave_out=index), kept=keep(files, "export"))) == at(index, "removed")


def test_an_entry_whose_proof_does_not_fit(files: Files, verify: Verify) -> None:
    index = LEDGER.of(ONE)[20]
    lines = LEDGER.lines(LEDGER.of(ONE))
    lines[20]["proof"] = lines[21]["proof"]

    answer = verify(files.export(LEDGER, lines=lines, filter={"license": ONE}))

    assert first(answer) == at(index, "changed")
