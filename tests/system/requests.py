"""Usage Requests for the tests that submit many."""

from __future__ import annotations

from tests.portal.chariot import Chariot, host


def from_new_hosts(license_key: str, count: int) -> list[str]:
    """One request of each of so many Chariots, all on hosts of their own."""
    return [Chariot(license_key, host(f"host-{number}")).request() for number in range(count)]
