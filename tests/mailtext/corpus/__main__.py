"""Writes the corpus: NAME.eml and NAME.json under tests/mails."""

import json
from pathlib import Path

from tests.mailtext.corpus import clients, files, languages, servers
from tests.mailtext.corpus.samples import SAMPLES

FOLDER = Path(__file__).resolve().parents[2] / "mails"

assert all((clients, files, languages, servers))
for one in SAMPLES.values():
    (FOLDER / f"{one.name}.eml").write_bytes(one.source)
    said = json.dumps(one.expected, ensure_ascii=False, indent=1)
    (FOLDER / f"{one.name}.json").write_text(said + "\n", encoding="utf-8")
print(len(SAMPLES), "mails")
