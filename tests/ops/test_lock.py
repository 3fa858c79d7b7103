"""The locked requirements install anywhere, whole and as they were."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.ops.processes import ROOT

LOCKS = ("requirements.txt", "requirements-dev.txt")


def read_lock(name: str) -> dict[str, Requirement]:
    lines = (ROOT / name).read_text().replace("\\\n", " ").splitlines()
    found = [re.split(r"\s--hash", line)[0] for line in lines if line and not line.lstrip().startswith("#")]
    return {canonical(requirement.name): requirement for requirement in map(Requirement, found)}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted(name: str) -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


@pytest.mark.parametrize("name", LOCKS)
def test_nothing_of_the_machine_that_locked_got_in(name: str) -> None:
    text = (ROOT / name).read_text()
    assert not re.search(
        r"file:|://|^\s*-(-index|-extra|-find|i |f )|(?<![\w.])/(opt|root|home|tmp|Users)/", text, re.M
    )


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_with_hashes(name: str) -> None:
    entries = re.split(r"\n(?=[A-Za-z0-9])", (ROOT / name).read_text().partition("bin/lock\n")[2])
    assert len(entries) > 20
    for entry in entries:
        assert re.match(r"\s*[A-Za-z0-9._-]+(\[[a-z,]+\])?==[^ ]+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_the_lock_answers_what_the_in_files_ask() -> None:
    for source, lock in (
        ("requirements.in", LOCKS[0]),
        ("requirements.in", LOCKS[1]),
        ("requirements-dev.in", LOCKS[1]),
    ):
        locked = read_lock(lock)
        for requirement in wanted(source):
            (pin,) = locked[canonical(requirement.name)].specifier
            assert requirement.specifier.contains(pin.version), f"{lock} is behind {source}: run bin/lock"


def test_development_runs_the_versions_of_production() -> None:
    production, development = (read_lock(name) for name in LOCKS)
    for name, requirement in production.items():
        assert development[name].specifier == requirement.specifier


def test_the_client_is_installed_from_the_same_lock() -> None:
    project = tomllib.loads((ROOT / "client" / "pyproject.toml").read_text())
    locked = read_lock("requirements.txt")
    for text in [*project["project"]["dependencies"], *project["build-system"]["requires"]]:
        requirement = Requirement(text)
        (pin,) = locked[canonical(requirement.name)].specifier
        assert requirement.specifier.contains(pin.version), requirement.name


def test_every_requirement_says_why_it_is_there() -> None:
    for line in (ROOT / "requirements.in").read_text().splitlines():
        assert line.startswith("#") or re.search(r"\S\s+# \w", line), line
