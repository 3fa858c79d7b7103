"""What the tests of the stable commands start from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from activations.services.actors import create_staff
from activations.services.licenses import LicenseCreated
from tests.portal.cast import ADMINISTRATOR, SOURCE
from tests.portal.chariot import Chariot, host
from tests.portal.commands.asking import USERS


@pytest.fixture(autouse=True)
def staff(db: None) -> None:
    for username, role in USERS.items():
        create_staff(username=username, role=role, password=None, actor=ADMINISTRATOR, source=SOURCE)


@pytest.fixture
def given(tmp_path: Path) -> Any:
    """Writes a text to a file and returns its name."""

    def write(text: str) -> str:
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.txt"
        file.write_text(text)
        return str(file)

    return write


@pytest.fixture
def pump(license: LicenseCreated) -> Chariot:
    return Chariot(license.license_key, host("pump-house"))
