"""A state directory written by the first version must always be read: hosts stay offline for years."""

from __future__ import annotations

import shutil
from pathlib import Path

from chariot_license.host import load_facts
from chariot_license.instance import Instance
from chariot_license.state import FORMAT, from_text, to_text

from tests.client.steps import deactivated
from tests.client.vendor import NOW, Clock

DATA = Path(__file__).parent / "data"
GOLDEN = DATA / "state-format-1.json"


def test_is_read_and_written_byte_for_byte() -> None:
    text = GOLDEN.read_text()
    assert FORMAT == 1, "keep the golden file and read it by a migration; add one for the new format"
    assert to_text(from_text(text)) == text


def test_still_licenses_its_chariot(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    shutil.copy(GOLDEN, folder / "state.json")
    facts = load_facts(DATA / "host-facts.json")
    chariot = Instance.for_command_line(folder, version="2.4.1", facts=facts, clock=Clock(NOW + 86400))
    status = chariot.status()
    assert (status.state, status.license_id) == ("active", "LIC-0410-6105-0R3G-G28A-7")
    assert (status.pending_since, status.test_state) == (NOW + 3600, True)
    assert [(feature.code, feature.days_left) for feature in status.features] == [
        ("mqtt-server", None),
        ("mqtt-server-support", 89),
    ]
    assert deactivated(chariot.deactivate()).code == "FDFD-AGEH-JK7V-G1PM-K908-5RVD-0GMA"
