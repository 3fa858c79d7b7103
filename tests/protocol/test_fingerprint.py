"""Host fingerprints: what is hashed, what counts as the same host, and how a change is put into words."""

from __future__ import annotations

import hashlib
import hmac
import pickle
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from chariot_license.protocol.fingerprint import (
    MAX_MACS,
    NAMES,
    STRONG,
    Fingerprint,
    HostFacts,
    fingerprint_of,
    match,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.samples import FACTS, FINGERPRINT

SALT = b"salt of a license"


def fingerprint(**components: str) -> Fingerprint:
    """Hashes by letter: fingerprint(mac="ab") has two MACs, a and b."""
    return Fingerprint({name: [letter.encode() * 8 for letter in letters] for name, letters in components.items()})


HASHES = st.sampled_from("abc")
FINGERPRINTS = st.builds(
    lambda single, macs: fingerprint(**single, **({"mac": "".join(macs)} if macs else {})),
    st.dictionaries(st.sampled_from([name for name in NAMES if name != "mac"]), HASHES),
    st.sets(HASHES, max_size=MAX_MACS),
)


def test_each_component_is_hashed_by_itself_as_documented() -> None:
    def hashed(name: str, value: str) -> bytes:
        return hmac.new(SALT, b"chariot-fp-1" + name.encode() + b"\0" + value.encode(), hashlib.sha256).digest()[:8]

    made = fingerprint_of(FACTS, SALT).components
    assert made == {
        "machine_id": (hashed("machine_id", "0f3f7a6e9c1b4d528e70a1b2c3d4e5f6"),),
        "board_uuid": (hashed("board_uuid", "4c4c4544-0042-3510-8058-b7c04f4e3432"),),
        "mac": tuple(sorted([hashed("mac", "b445062a9c10"), hashed("mac", "b445062a9c11")])),
        "disk_serial": (hashed("disk_serial", "s4evnx0r412345"),),
        "cpu_model": (hashed("cpu_model", "intel(r) xeon(r) e-2278g cpu @ 3.40ghz"),),
    }


@given(st.permutations(["00:11:22:33:44:55", "66:77:88:99:aa:bb", "cc:dd:ee:ff:00:11"]))
def test_the_order_of_interfaces_does_not_matter(macs: list[str]) -> None:
    expected = fingerprint_of(HostFacts(macs=("001122334455", "66-77-88-99-AA-BB")), SALT)
    assert fingerprint_of(HostFacts(macs=tuple(macs)), SALT) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("machine_id", ""),
        ("machine_id", "  \n"),
        ("board_uuid", "00000000-0000-0000-0000-000000000000"),
        ("board_uuid", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"),
        ("board_uuid", "03000200-0400-0500-0006-000700080009"),
        ("disk_serial", "To Be Filled By O.E.M."),
        ("cpu_model", None),
    ],
)
def test_what_names_no_host_is_left_out(name: str, value: Any) -> None:
    assert fingerprint_of(replace(HostFacts(), **{name: value}), SALT) == Fingerprint({})


@pytest.mark.parametrize("mac", ["", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "00:11:22:33:44", "not a mac", "0" * 16])
def test_what_is_no_mac_address_is_left_out(mac: str) -> None:
    assert fingerprint_of(HostFacts(macs=(mac,)), SALT) == Fingerprint({})


def test_another_salt_makes_unlinkable_hashes() -> None:
    one, other = fingerprint_of(FACTS, b"one license").components, fingerprint_of(FACTS, b"another").components
    assert not {value for hashes in one.values() for value in hashes} & {v for hashes in other.values() for v in hashes}


def test_white_space_and_case_do_not_make_another_host() -> None:
    typed = replace(
        FACTS, machine_id=" 0F3F7A6E9C1B4D528E70A1B2C3D4E5F6\n", cpu_model="INTEL(R)  Xeon(R) E-2278G\tCPU @ 3.40GHz "
    )
    assert fingerprint_of(typed, SALT) == fingerprint_of(FACTS, SALT)


MATCHES = [
    # known, seen, matched, comparable
    ({}, {}, False, 0),
    ({"machine_id": "a"}, {"machine_id": "a"}, False, 1),
    ({"machine_id": "a", "cpu_model": "a"}, {"machine_id": "a", "cpu_model": "a"}, False, 1),
    ({"machine_id": "a", "mac": "a"}, {"machine_id": "a", "mac": "a"}, True, 2),
    ({"machine_id": "a", "mac": "ab"}, {"machine_id": "a", "mac": "bc"}, True, 2),
    ({"machine_id": "a", "mac": "ab"}, {"machine_id": "a", "mac": "c"}, False, 2),
    ({"machine_id": "a", "mac": "a", "disk_serial": "a"}, {"machine_id": "a", "mac": "a", "disk_serial": "b"}, True, 3),
    (
        {"machine_id": "a", "mac": "a", "disk_serial": "a"},
        {"machine_id": "b", "mac": "b", "disk_serial": "a"},
        False,
        3,
    ),
    (
        {"machine_id": "a", "mac": "a", "disk_serial": "a", "board_uuid": "a"},
        {"machine_id": "a", "mac": "a", "disk_serial": "b", "board_uuid": "b"},
        False,
        4,
    ),
    (
        {"machine_id": "a", "mac": "a", "disk_serial": "a", "board_uuid": "a"},
        {"machine_id": "a", "mac": "a", "disk_serial": "a", "board_uuid": "b"},
        True,
        4,
    ),
    ({"machine_id": "a", "mac": "a", "board_uuid": "a"}, {"machine_id": "a", "mac": "a", "disk_serial": "a"}, True, 2),
    ({"machine_id": "a", "board_uuid": "a"}, {"mac": "a", "disk_serial": "a"}, False, 0),
]


@pytest.mark.parametrize(("known", "seen", "matched", "comparable"), MATCHES)
def test_the_matching_rule(known: dict[str, str], seen: dict[str, str], matched: bool, comparable: int) -> None:
    found = match(fingerprint(**known), fingerprint(**seen))
    assert (found.matched, found.comparable) == (matched, comparable)


@given(FINGERPRINTS, FINGERPRINTS)
def test_matching_is_symmetric(one: Fingerprint, other: Fingerprint) -> None:
    there, back = match(one, other), match(other, one)
    assert (there.matched, there.comparable, there.shared, there.changed) == (
        back.matched,
        back.comparable,
        back.shared,
        back.changed,
    )
    assert (there.appeared, there.vanished) == (back.vanished, back.appeared)
    assert there.words
    assert there.words.isprintable()


@given(FINGERPRINTS)
def test_a_host_matches_itself_if_two_strong_components_are_known(host: Fingerprint) -> None:
    strong = [name for name in host.components if name in STRONG]
    found = match(host, host)
    assert found.matched == (len(strong) >= 2)
    assert set(found.shared) == set(strong)
    assert found.changed == found.appeared == found.vanished == ()


@given(FINGERPRINTS, FINGERPRINTS)
def test_every_component_is_named_exactly_once(one: Fingerprint, other: Fingerprint) -> None:
    found = match(one, other)
    named = [*found.shared, *found.changed, *found.appeared, *found.vanished]
    assert len(named) == len(set(named))
    same_processor = {"cpu_model"} if one.components.get("cpu_model") == other.components.get("cpu_model") else set()
    assert set(named) == (set(one.components) | set(other.components)) - same_processor


def test_the_processor_never_decides() -> None:
    strong = {"machine_id": "a", "mac": "a", "disk_serial": "a"}
    for known, seen in product("ab", repeat=2):
        found = match(fingerprint(**strong, cpu_model=known), fingerprint(**strong, cpu_model=seen))
        assert found.matched
        assert ("cpu_model" in found.changed) == (known != seen)


ALL = {"machine_id": "a", "board_uuid": "a", "mac": "a", "disk_serial": "a"}


@pytest.mark.parametrize(
    ("known", "seen", "words"),
    [
        (ALL, ALL | {"mac": "b"}, "network card changed; board, disk and machine id are the same"),
        (ALL, ALL, "board, disk, machine id and network card are the same"),
        (ALL, {"board_uuid": "a"}, "disk, machine id and network card are no longer reported; board is the same"),
        ({"board_uuid": "a"}, {"board_uuid": "b"}, "board changed"),
        (
            {"mac": "a"},
            {"mac": "a", "disk_serial": "a"},
            "disk is reported for the first time; network card is the same",
        ),
        (
            ALL | {"cpu_model": "a"},
            {"mac": "b", "disk_serial": "b", "cpu_model": "b"},
            "disk, network card and processor changed; board and machine id are no longer reported",
        ),
        ({}, {}, "nothing about the two hosts can be compared"),
    ],
)
def test_changes_in_words(known: dict[str, str], seen: dict[str, str], words: str) -> None:
    assert match(fingerprint(**known), fingerprint(**seen)).words == words


@given(FINGERPRINTS)
def test_claims_and_json_give_the_fingerprint_back(host: Fingerprint) -> None:
    assert Fingerprint.from_claim(host.to_claim()) == host
    assert Fingerprint.from_json(host.to_json()) == host
    assert pickle.loads(pickle.dumps(host)) == host  # noqa: S301
    assert len({host, Fingerprint.from_json(host.to_json())}) == 1


@pytest.mark.parametrize(
    "claim",
    [
        None,
        [],
        {1: "text"},
        {1: b""},
        {1: b"seven by"[:7]},
        {1: b"8 bytes!" * 2},
        {6: b"8 bytes!"},
        {"mac": b"8 bytes!"},
        {3: b"b" * 8 + b"a" * 8},
        {3: b"a" * 16},
        {3: b"a" * 8 + b"b" * 8 + b"c" * 8},
    ],
)
def test_other_claims_are_refused(claim: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        Fingerprint.from_claim(claim)


@pytest.mark.parametrize("components", [{"hostname": [b"8 bytes!"]}, {"mac": []}, {"mac": [b"short"]}])
def test_other_components_are_refused(components: dict[str, list[bytes]]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Fingerprint(components)


def test_the_sample_has_every_component() -> None:
    assert set(FINGERPRINT.components) == set(NAMES)
