"""The version of Chariot: what counts as one, what a request carries of it, and how a license judges it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chariot_license.errors import InputError
from chariot_license.instance import PRODUCT, Instance
from chariot_license.protocol.request import MAX_PRODUCT_AND_VERSION
from chariot_license.protocol.versions import in_range
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.client.conftest import MakeChariot
from tests.client.steps import KEY, license_it, made
from tests.client.vendor import Vendor, read_made

NO_VERSIONS: list[Any] = [
    "", " ", "unknown", "v5", "x.1", ".5", "-1", "2.4\n1", "2.4\x07", "2.4-\u00e9", "\u0662.4", "1" * 19 + ".2",
    None, 2.4,
]  # fmt: skip


class TestWhatCountsAsOne:
    @pytest.mark.parametrize("version", NO_VERSIONS)
    def test_chariot_must_pass_a_real_one(self, state_dir: Path, version: Any) -> None:
        with pytest.raises(InputError) as caught:
            Instance(state_dir, version=version)
        assert caught.value.code == "chariot-version-invalid"
        assert '"2.4.1"' in caught.value.message

    @pytest.mark.parametrize("version", [version for version in NO_VERSIONS if version != "unknown"])
    def test_what_the_command_line_is_told_must_be_one(self, chariot: MakeChariot, version: Any) -> None:
        with pytest.raises(InputError) as caught:
            chariot(version=version)
        assert caught.value.code == "chariot-version-invalid"

    @pytest.mark.parametrize("version", ["1234.5678.9012", "2.4.1.0.0.0.0", "123456789012"])
    def test_a_number_that_no_request_has_room_for(self, state_dir: Path, version: str) -> None:
        with pytest.raises(InputError) as caught:
            Instance(state_dir, version=version)
        assert caught.value.code == "chariot-version-invalid"
        assert "room for 11 characters beside chariot-mqtt-server" in caught.value.message

    def test_a_product_that_leaves_no_room(self, state_dir: Path) -> None:
        with pytest.raises(InputError, match="room for 0 characters"):
            Instance(state_dir, version="2.4.1", product="p" * 31)


class TestRequest:
    @pytest.mark.parametrize(
        ("version", "sent"),
        [("2.4.1", "2.4.1"), (" 2.4.1 ", "2.4.1"), ("12.34.56789", "12.34.56789"), ("2.4.1-SNAPSHOT", "2.4.1-SNAPS")],
    )
    def test_carries_it_whole_or_without_the_end_of_its_suffix(
        self, chariot: MakeChariot, version: str, sent: str
    ) -> None:
        assert read_made(made(chariot(version=version).request(KEY.text)).block).version == sent

    @given(
        version=st.from_regex(r"[0-9]{1,7}(\.[0-9]{0,4}){0,3}[-+.a-zA-Z0-9 ]{0,12}", fullmatch=True),
        limit=st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,4}){0,3}", fullmatch=True),
    )
    @example(version="2.4.1.10.20", limit="2.4.1.10.2")
    def test_what_is_sent_lies_in_the_same_ranges(self, version: str, limit: str) -> None:
        try:
            sent = _sent(version)
        except InputError:
            assume(False)
        assert 0 < len(sent) <= MAX_PRODUCT_AND_VERSION - len(PRODUCT)
        for low, high in ((limit, ""), ("", limit), (limit, limit)):
            assert in_range(sent, low, high) == in_range(version, low, high)


class TestStatus:
    @pytest.mark.parametrize(
        ("version", "state"), [("2.4.9", "active"), ("2.5", "version-not-covered"), ("1.9-RC", "version-not-covered")]
    )
    def test_of_a_version_outside_the_license(
        self, chariot: MakeChariot, vendor: Vendor, version: str, state: str
    ) -> None:
        license_it(chariot(), vendor, versions=("2.0", "2.4"))
        status = chariot(version=version).status()
        assert status.state == state
        assert "not judged" not in status.message

    @pytest.mark.parametrize("versions", [("2.0", "2.4"), ("", "2.4"), ("", "")])
    def test_a_command_line_that_is_not_told_says_so(
        self, chariot: MakeChariot, vendor: Vendor, versions: tuple[str, str]
    ) -> None:
        license_it(chariot(), vendor, versions=versions)
        status = chariot(version="unknown").status()
        assert status.state == "active"
        assert ("Version not judged" in status.message) is (versions != ("", ""))


def _sent(version: str) -> str:
    from chariot_license.usage_request import checked_version, version_to_send

    return version_to_send(checked_version(version, PRODUCT), PRODUCT)
