"""A release with a pinned root: the embedding API on the real host, and switches that cannot get round it.

The package is copied and the vendor's root placed in its trust folder, as the release build does.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from chariot_license.protocol.codes import parse_deactivation_code

from tests.client.conftest import CLIENT, Ran, Run, facts_file
from tests.client.steps import KEY
from tests.client.vendor import OTHER_HOST, Vendor, read_made

EMBEDDED = """
import json, sys
from chariot_license.instance import Instance
from chariot_license.errors import ClientError
try:
    status = Instance(sys.argv[1], version="2.4.1").status()
    print(json.dumps({"state": status.state, "allows": status.allows("mqtt-server"), "test": status.test_state}))
except ClientError as error:
    print(json.dumps({"code": error.code}))
"""


@pytest.fixture
def release(tmp_path: Path, vendor: Vendor) -> Path:
    folder = tmp_path / "release"
    shutil.copytree(
        CLIENT / "chariot_license", folder / "chariot_license", ignore=shutil.ignore_patterns("__pycache__")
    )
    vendor.write_root(folder / "chariot_license" / "trust" / "root.pem")
    return folder


def embedded(release: Path, state_dir: Path, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", EMBEDDED, str(state_dir)],
        env={"PYTHONPATH": str(release), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def licensed(run: Run, release: Path, vendor: Vendor) -> Ran:
    made = run("request", "-", stdin=KEY.text, package=release)
    return run("install", "--json", stdin=vendor.answer(made.out), package=release)


def test_the_whole_trip_with_a_pinned_root(
    run: Run, release: Path, vendor: Vendor, state_dir: Path, licensed: Ran
) -> None:
    assert (licensed.status, licensed.json["outcome"], licensed.json["test_state"]) == (0, "installed", False)
    assert embedded(release, state_dir) == {"state": "active", "allows": True, "test": False}
    gone = run("deactivate", "--json", package=release)
    assert len(parse_deactivation_code(gone.json["deactivation_code"])) == 16
    assert embedded(release, state_dir) == {"state": "deactivated", "allows": False, "test": False}


def test_the_embedding_api_ignores_both_variables(
    release: Path, state_dir: Path, licensed: Ran, tmp_path: Path
) -> None:
    root = Vendor("Somebody Else").write_root(tmp_path / "other.pem")
    switches = {"CHARIOT_TRUST_ROOT": str(root), "CHARIOT_HOST_FACTS": str(facts_file(tmp_path, OTHER_HOST))}
    assert embedded(release, state_dir, **switches) == {"state": "active", "allows": True, "test": False}


def test_a_license_in_force_is_never_turned_into_a_test(
    run: Run, release: Path, state_dir: Path, licensed: Ran, tmp_path: Path
) -> None:
    before = (state_dir / "state.json").read_bytes()
    facts = str(facts_file(tmp_path, OTHER_HOST))
    again = run("request", KEY.text, "--json", package=release, CHARIOT_HOST_FACTS=facts)
    assert (again.status, again.json["code"]) == (1, "real-state")
    looked = run("status", "--json", package=release, CHARIOT_HOST_FACTS=facts).json
    assert (looked["state"], looked["test_switch"], looked["test_state"]) == ("host-mismatch", True, False)
    assert (state_dir / "state.json").read_bytes() == before
    assert embedded(release, state_dir)["state"] == "active"


def test_a_real_request_is_never_answered_by_a_test_root(
    run: Run, release: Path, state_dir: Path, tmp_path: Path
) -> None:
    forger = Vendor("Forger")
    made = run("request", KEY.text, package=release)
    before = (state_dir / "state.json").read_bytes()
    root = forger.write_root(tmp_path / "forged.pem")
    forged = run("install", "--json", "--trust-root", str(root), stdin=forger.answer(made.out), package=release)
    assert (forged.status, forged.json["code"]) == (1, "real-state")
    assert (state_dir / "state.json").read_bytes() == before


def test_a_license_got_with_a_test_root_runs_nothing(run: Run, release: Path, state_dir: Path, tmp_path: Path) -> None:
    forger = Vendor("Forger")
    root = str(forger.write_root(tmp_path / "forged.pem"))
    made = run("request", KEY.text, "--trust-root", root, package=release)
    forged = run("install", "--trust-root", root, stdin=forger.answer(made.out), package=release)
    assert forged.status == 0
    assert run("status", "--json", package=release).json["test_state"] is True
    assert embedded(release, state_dir) == {"code": "test-state"}


def test_a_license_got_with_made_up_facts_runs_nothing(
    run: Run, release: Path, vendor: Vendor, state_dir: Path, tmp_path: Path
) -> None:
    facts = str(facts_file(tmp_path, OTHER_HOST))
    made = run("request", KEY.text, package=release, CHARIOT_HOST_FACTS=facts)
    assert read_made(made.out).test
    assert run("install", stdin=vendor.answer(made.out), package=release, CHARIOT_HOST_FACTS=facts).status == 0
    assert embedded(release, state_dir) == {"code": "test-state"}


def test_a_test_license_is_refused_by_a_real_state(run: Run, release: Path, vendor: Vendor) -> None:
    made = run("request", KEY.text, package=release)
    refused = run("install", "--json", stdin=vendor.answer(made.out, test=True), package=release)
    assert (refused.status, refused.json["code"]) == (1, "test-license")


def test_a_clone_of_the_test_mark_taken_off_by_hand_is_damage(
    run: Run, release: Path, state_dir: Path, tmp_path: Path
) -> None:
    run("request", KEY.text, package=release, CHARIOT_HOST_FACTS=str(facts_file(tmp_path, OTHER_HOST)))
    file = state_dir / "state.json"
    file.write_text(file.read_text().replace('"test": true', '"test": false'))
    assert embedded(release, state_dir) == {"code": "state-damaged"}


def test_the_repository_pins_no_root(run: Run, vendor: Vendor) -> None:
    assert [file.name for file in (CLIENT / "chariot_license" / "trust").iterdir()] == ["README.md"]
    made = run("request", KEY.text)
    refused = run("install", "--json", stdin=vendor.answer(made.out))
    assert (refused.status, refused.json["code"]) == (1, "no-trust-root")


def test_a_pinned_file_that_is_no_root_is_named(run: Run, release: Path, vendor: Vendor) -> None:
    made = run("request", KEY.text, package=release)
    (release / "chariot_license" / "trust" / "root.pem").write_text("not a certificate")
    broken = run("install", "--json", stdin=vendor.answer(made.out), package=release)
    assert (broken.status, broken.json["code"]) == (2, "trust-root-invalid")
