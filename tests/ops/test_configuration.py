"""docs/configuration.md lists every variable that the portal reads, and no other."""

from __future__ import annotations

import re

from tests.ops.processes import ROOT

READERS = ("licensing_portal/settings.py", "gunicorn.conf.py")
READ = re.compile(r"""(?:given|required|env\.\w+|environ\.get)\(\s*["']([A-Z_]+)""")


def documented() -> set[str]:
    text = (ROOT / "docs" / "configuration.md").read_text()
    return set(re.findall(r"^\| `([A-Z_]+)` \|", text, flags=re.MULTILINE))


def test_every_variable_is_documented_and_none_is_invented() -> None:
    read = {name for file in READERS for name in READ.findall((ROOT / file).read_text())}
    assert len(read) > 15
    assert documented() == read
