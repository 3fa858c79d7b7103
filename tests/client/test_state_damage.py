"""A state.json edited by hand or by chance: refused with a name, or used without surprise."""

from __future__ import annotations

import contextlib
import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from chariot_license.errors import ClientError, StateError
from chariot_license.instance import Instance
from chariot_license.protocol.errors import ProtocolError
from chariot_license.state import DamagedState, _check, from_text, to_text
from chariot_license.store import StateStore
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.client.states import FULL, save
from tests.client.steps import KEY, installed, made
from tests.client.vendor import NOW, PLANT_HOST, Clock, Vendor

VENDOR = Vendor()
WHOLE = json.loads(to_text(FULL))


def sealed(body: Any) -> str:
    """state.json with this content and the check that fits it, so that the content is what is judged."""
    return json.dumps({"format": 1, "check": _check(body), "state": body})


def changed(path: str, value: Any) -> str:
    body = copy.deepcopy(WHOLE["state"])
    *parents, last = path.split(".")
    part = body
    for parent in parents:
        part = part[parent]
    part[last] = value
    return sealed(body)


BYTES = ("private_key", "pending.request_id", "pending.salt", "installed.data", "installed.salt", "tenure.secret")
NUMBERS = (
    "counter", "high_water", "pending.made_at", "pending.latest_seen", "installed.installed_at", "tenure.revealed_at",
)  # fmt: skip
LISTS = ("denied", "test_roots", "tenure.license_ids")


class TestEachField:
    @pytest.mark.parametrize("path", BYTES)
    @pytest.mark.parametrize("value", ["", "0", "zz", "AB" * 32, "00 " * 16, "\u0663" * 32, 5, True, [], {}, 1.5])
    def test_that_holds_bytes(self, path: str, value: Any) -> None:
        with pytest.raises(DamagedState, match=f"^{path} "):
            from_text(changed(path, value))

    @pytest.mark.parametrize("path", [path for path in BYTES if path != "installed.data"])
    @pytest.mark.parametrize("length", [1, 15, 17, 31, 33, 4000])
    def test_that_holds_bytes_of_one_length(self, path: str, length: int) -> None:
        with pytest.raises(DamagedState, match=f"^{path} has {length} bytes instead of (16|32)"):
            from_text(changed(path, "ab" * length))

    @pytest.mark.parametrize("path", NUMBERS)
    @pytest.mark.parametrize(
        "value", [-1, True, False, 1.0, float("nan"), float("inf"), "7", [], {}, 2**53, 10**400, -(10**400)]
    )
    def test_that_holds_a_number(self, path: str, value: Any) -> None:
        with pytest.raises(DamagedState, match=f"^{path} is not a whole number from 0"):
            from_text(changed(path, value))

    @pytest.mark.parametrize("path", LISTS)
    @pytest.mark.parametrize("value", [None, "0a", {}, 5, [1], [None], [["0a"]], [""], ["0A"], ["LIC-A"], ["\ud800"]])
    def test_that_holds_a_list(self, path: str, value: Any) -> None:
        with pytest.raises(DamagedState, match=f"^{path} (is no list|holds|is not in)"):
            from_text(changed(path, value))

    def test_serials_and_certificates(self) -> None:
        for path, value in (("denied", ["00" * 21]), ("test_roots", ["3000"]), ("test_roots", ["ab" * 300])):
            with pytest.raises(DamagedState, match=f"^{path} holds what is no"):
                from_text(changed(path, value))

    @pytest.mark.parametrize("path", ["pending", "installed", "tenure"])
    @pytest.mark.parametrize("value", [[], "x", 5, True])
    def test_that_holds_parts(self, path: str, value: Any) -> None:
        with pytest.raises(DamagedState, match=f"^{path} is no object"):
            from_text(changed(path, value))

    def test_what_lies_too_deep(self) -> None:
        for depth in (500, 990, 5000):
            nested = '{"a":' * depth + "1" + "}" * depth
            with pytest.raises(DamagedState):
                from_text(f'{{"format": 1, "check": "", "state": {nested}}}')

    def test_a_format_beyond_all_numbers(self) -> None:
        for number in ("1" * 4000, "1" * 5000, "-1", "1e3", "NaN"):
            with pytest.raises(DamagedState):
                from_text(f'{{"format": {number}, "check": "", "state": {{}}}}')

    @pytest.mark.parametrize(
        ("path", "value", "named"),
        [
            ("tenure", None, "pending"),
            ("tenure.revealed_at", NOW, "pending"),
            ("private_key", None, "tenure"),
            ("test", False, "test_roots"),
            ("pending.more", 1, "pending.'more'"),
        ],
    )
    def test_parts_that_cannot_stand_together(self, path: str, value: Any, named: str) -> None:
        with pytest.raises(DamagedState, match=named):
            from_text(changed(path, value))

    def test_the_field_is_named_to_the_user(self, tmp_path: Path) -> None:
        store = StateStore(tmp_path / "state")
        save(store, FULL)
        store.file.write_text(changed("pending.made_at", -1))
        with pytest.raises(StateError) as caught:
            store.load()
        assert caught.value.code == "state-damaged"
        assert "pending.made_at is not a whole number" in caught.value.message


ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=40), st.just([]), st.just({}),
    st.sampled_from(["00" * 16, "ff" * 32, "0a", 2**32 - 1, 2**32, 2**53 - 1, -1, 0, [""], ["0a"], [None]]),
)  # fmt: skip


@pytest.fixture(scope="module")
def used() -> dict[str, Any]:
    """The content of a state with a license in force and a request that waits."""
    with tempfile.TemporaryDirectory() as folder:
        chariot = opened(Path(folder) / "state")
        installed(chariot.install(VENDOR.answer(made(chariot.request(KEY.text)).block)))
        made(chariot.request(KEY.text))
        body: dict[str, Any] = json.loads((Path(folder) / "state" / "state.json").read_text())["state"]
        return body


def opened(folder: Path) -> Instance:
    return Instance.for_command_line(folder, version="2.4.1", roots=VENDOR.roots, facts=PLANT_HOST, clock=Clock())


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_edited_every_command_ends_with_an_answer_or_a_name(
    used: dict[str, Any], data: st.DataObject
) -> None:
    body = copy.deepcopy(used)
    for _ in range(data.draw(st.integers(1, 3))):
        part = body
        name = data.draw(st.sampled_from(sorted(part)))
        if isinstance(part[name], dict) and data.draw(st.booleans()):
            part = part[name]
            name = data.draw(st.sampled_from(sorted(part)) if part else st.just("new"))
        value = part.get(name)
        if isinstance(value, str) and value and data.draw(st.booleans()):
            at = data.draw(st.integers(0, len(value) - 1))
            part[name] = value[:at] + data.draw(st.sampled_from(["", "0", "f", "\u00e9"])) + value[at + 1 :]
        elif data.draw(st.booleans()):
            part.pop(name, None)
        else:
            # A copy: the next edit may reach into it, and the strategy would hand out what was edited.
            part[name] = copy.deepcopy(data.draw(ODD))
        if not body:
            break
    _every_command(sealed(body))


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_happens_to_its_bytes(used: dict[str, Any], data: st.DataObject) -> None:
    text = bytearray(sealed(used).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    _every_command(bytes(text))


def _every_command(text: str | bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "state"
        folder.mkdir(mode=0o700)
        for command in (
            lambda: opened(folder).status(),
            lambda: opened(folder).request(KEY.text),
            lambda: opened(folder).deactivate(),
        ):
            (folder / "state.json").write_bytes(text.encode() if isinstance(text, str) else text)
            (folder / "state.json").chmod(0o600)
            # Anything else that is raised fails the test.
            with contextlib.suppress(ClientError, ProtocolError):
                command()
                opened(folder).status()
