"""ledger_proof: the texts an auditor keeps, and why there is none."""

from __future__ import annotations

import pytest

from activations.models import LedgerCheckpoint, LedgerEntry
from activations.services.checkpoints import CheckpointMade
from activations.services.licenses import LicenseCreated
from tests.portal.cast import book_many
from tests.portal.commands.asking import answer, run
from tests.portal.test_checkpoints import checkpoint


@pytest.fixture
def checkpoints(license: LicenseCreated) -> list[CheckpointMade]:
    made = [checkpoint()]
    for count in (1, 5):
        book_many(count)
        made.append(checkpoint())
    return made


def test_the_command(license: LicenseCreated, checkpoints: list[CheckpointMade]) -> None:
    told = answer("ledger_proof", "inclusion", license.license_id.lower(), "1", "--actor", "auditor")
    code, out, err = run("ledger_proof", "inclusion", license.license_id, "1")
    assert (code, out) == (0, told["text"])
    assert f"is leaf {told['index']} of the checkpoint of {told['size']} entries" in err
    assert told["checkpoint"] == checkpoints[-1].note
    assert told["text"].split("\n")[2] == told["proof"][0]
    assert told["body"] == LedgerEntry.objects.get(chain=license.license_id, seq=1).body

    sizes = (str(checkpoints[0].size), str(checkpoints[2].size))
    both = answer("ledger_proof", "consistency", *sizes)
    code, out, _ = run("ledger_proof", "consistency", *sizes)
    assert (code, out) == (0, both["text"])
    assert (both["old"], both["new"]) == (checkpoints[0].size, checkpoints[2].size)
    assert answer("ledger_proof", "consistency", sizes[0])["new"] == checkpoints[-1].size


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        (("inclusion", "portal", "1", "--actor", "agent"), 1, "not-allowed"),
        (("inclusion", "portal", "9999"), 2, "entry-unknown"),
        (("inclusion", "portal", "1", "--size", "3"), 2, "checkpoint-unknown"),
        (("consistency", "100000"), 2, "sizes-reversed"),
        (("consistency", "1", "2"), 2, "checkpoint-unknown"),
    ],
)
def test_the_command_refuses(
    checkpoints: list[CheckpointMade], arguments: tuple[str, ...], exit_code: int, code: str
) -> None:
    assert answer("ledger_proof", *arguments, exit_code=exit_code)["code"] == code


def test_the_command_without_a_checkpoint(license: LicenseCreated) -> None:
    assert not LedgerCheckpoint.objects.exists()
    assert answer("ledger_proof", "inclusion", "portal", "1", exit_code=1)["code"] == "no-checkpoint"
