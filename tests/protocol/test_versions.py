"""Product version ranges."""

from __future__ import annotations

import pytest
from chariot_license.protocol.versions import in_range
from hypothesis import given
from hypothesis import strategies as st

RANGES = [
    ("5.0.2", "", "", True),
    ("anything", "", "", True),
    ("", "", "", True),
    ("5.0.2", "5", "5", True),
    ("5", "5.0.0", "", True),
    ("5.0.2", "5.0.2", "5.0.2", True),
    ("5.0.1", "5.0.2", "", False),
    ("5.10.0", "5.9", "", True),
    ("5.9.9", "5.10", "", False),
    ("5.1.7", "", "5.1", True),
    ("5.2", "", "5.1", False),
    ("5.1", "", "5.1.3", True),
    ("6.0", "", "5", False),
    ("5.0.2-SNAPSHOT", "5.0.2", "5.0.2", True),
    ("5.0.2+build.7", "", "5.0", True),
    ("anything", "5", "", False),
    ("", "", "5", False),
    ("5.0", "later", "", False),
    ("5.0", "", "later", False),
    (" 5.0 ", "5", "5", True),
    ("005.00", "5", "5", True),
    ("5.0.20260101123", "5.0.20260101122", "", True),
    ("5.0.20260101121", "5.0.20260101122", "", False),
    ("1" * 30, "5", "", False),
    ("5." + "1" * 30, "5", "5", True),
]


@pytest.mark.parametrize(("version", "low", "high", "inside"), RANGES)
def test_ranges(version: str, low: str, high: str, inside: bool) -> None:
    assert in_range(version, low, high) is inside


NUMBERS = st.lists(st.integers(0, 40), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))


@given(NUMBERS)
def test_a_version_lies_between_itself_and_itself(version: str) -> None:
    assert in_range(version, version, version)


@given(NUMBERS, NUMBERS)
def test_of_two_versions_one_is_at_least_the_other(one: str, other: str) -> None:
    assert in_range(one, other, "") or in_range(other, one, "")


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_no_text_raises(version: str, low: str, high: str) -> None:
    assert in_range(version, low, high) in (True, False)
