"""States to keep, and processes to kill, for the tests of the state directory."""

from __future__ import annotations

import os
from collections.abc import Callable

from chariot_license.protocol.codes import format_public_id
from chariot_license.state import InstalledLicense, Pending, State, Tenure
from chariot_license.store import StateStore
from cryptography.hazmat.primitives.serialization import Encoding

from tests.client.vendor import Vendor

LICENSE_IDS = tuple(format_public_id("LIC", bytes([first]) * 10) for first in (0x50, 0x58))  # LIC-A..., LIC-B...
FULL = State(
    private_key=bytes(range(32)),
    counter=7,
    pending=Pending(request_id=b"r" * 16, made_at=1_800_000_000, salt=b"s" * 16, latest_seen=1_800_000_050),
    installed=InstalledLicense(data=b"signed bytes", salt=b"t" * 16, installed_at=1_799_000_000),
    tenure=Tenure(secret=b"x" * 16, license_ids=LICENSE_IDS, revealed_at=None),
    high_water=1_800_000_100,
    denied=("0a", "0b"),
    test=True,
    test_roots=(Vendor().root.public_bytes(Encoding.DER),),
)


def save(store: StateStore, state: State) -> None:
    with store.locked():
        store.save(state)


def in_child(work: Callable[[], None]) -> int:
    """Fork, run `work` in the child, and return the child's process id."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(70)
    return child
