"""Asking a command: what it prints with --json and its exit code, and the staff that the tests name as actors."""

from __future__ import annotations

import io
import json
from typing import Any

from django.core.management import call_command

from activations.services.licenses import LicenseCreated

USERS = {
    "agent": "support-agent",
    "lead": "support-lead",
    "second-lead": "support-lead",
    "manager": "license-manager",
    "auditor": "auditor",
    "administrator": "administrator",
}


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(*arguments, stdout=out, stderr=err)
    except SystemExit as stop:
        return int(str(stop.code)), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def answer(*arguments: str, exit_code: int = 0) -> dict[str, Any]:
    """The JSON answer; fails the test when the exit code is another one."""
    code, out, err = run(*arguments, "--json")
    assert (code, err) == (exit_code, ""), (out, err)
    [line] = out.splitlines()
    found = json.loads(line)
    assert found["outcome"] in {0: ("done", "issued", "re-sent"), 1: ("refused",), 2: ("bad-input",)}.get(
        exit_code, ("pending", "unavailable")
    )
    assert exit_code == 0 or (found["code"] and found["message"])
    return dict(found)


def issue(file: str, *more: str, actor: str = "agent", exit_code: int = 0) -> dict[str, Any]:
    return answer("issue_usage_license", file, "--actor", actor, *more, exit_code=exit_code)


LICENSE = ("create_license", "--customer", "Acme Water", "--allowed", "3")


def change(license: LicenseCreated, *what: str, actor: str = "manager", exit_code: int = 0) -> dict[str, Any]:
    return answer(
        "change_license", license.license_id, *what, "--reason", "agreed", "--actor", actor, exit_code=exit_code
    )
