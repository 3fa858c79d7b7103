"""What the documents say about the code, compared with the code."""

from __future__ import annotations

import re
from itertools import zip_longest
from pathlib import Path

import pytest
from django.core.management import get_commands

from activations.domain.words import ROLES, Ability

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("client/*.md"), *ROOT.glob("verifier/*.md")]
)


def test_the_table_of_roles_is_the_roles() -> None:
    rows = [line.strip("| \n").split("|") for line in (ROOT / "docs/roles.md").read_text().splitlines() if "|" in line]
    names = [cell.strip() for cell in rows[0][1:]]
    documented: dict[str, set[str]] = {name: set() for name in names}
    listed = set()
    for ability, *cells in rows[2:]:
        listed.add(ability.strip().replace(" ", "_"))
        for name, cell in zip_longest(names, cells, fillvalue=""):
            if cell.strip() == "yes":
                documented[name].add(ability.strip().replace(" ", "_"))
    assert documented == {role: {ability.value for ability in held} for role, held in ROLES.items()}
    assert listed == {ability.value for ability in Ability}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text())
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    assert [target for target in local if not (document.parent / target).exists()] == []


def test_every_portal_command_is_documented() -> None:
    ours = {name for name, app in get_commands().items() if app == "activations"}
    text = (ROOT / "docs/commands.md").read_text()
    demo = {"demo_data", "play_round_trip"}
    assert [name for name in sorted(ours - demo) if f"`{name}" not in text] == []


def test_the_private_key_is_touched_by_one_module() -> None:
    """Besides the models that store it encrypted, only services/signing.py knows private keys."""
    known_by = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "activations").rglob("*.py"))
        if re.search(r"private_encrypted|Ed25519PrivateKey|load_pem_private_key", path.read_text())
    ]
    assert [path for path in known_by if "/migrations/" not in path] == [
        "activations/models/keys.py",
        "activations/services/signing.py",
    ]
