"""What the verifier's tests start from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chariot_ledger_verify
import pytest

from tests.verifier.ledger import Files

Verify = Callable[..., dict[str, Any]]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Verify:
    """Runs the command with --json and gives its answer; `kept`, `key` and `proof` are lists."""

    def run(export: str, *more: str, **given: list[str]) -> dict[str, Any]:
        arguments = [part for name, values in given.items() for value in values for part in (f"--{name}", value)]
        code = chariot_ledger_verify.main([export, *arguments, *more, "--json"])
        answer: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert answer["exit_code"] == code
        return answer

    return run
