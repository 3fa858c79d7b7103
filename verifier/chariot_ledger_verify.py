"""Checks an export of the ledger against what an auditor kept, and names the first entry that is not the same.

    chariot-ledger-verify EXPORT [--kept FILE_OR_FOLDER ...] [--key VKEY ...] [--proof FILE ...] [--older] [--json]

Exit codes: 0 everything holds; 1 the ledger is not what was kept, or contradicts itself; 2 a file cannot be read;
3 nothing is wrong, but something could not be checked (nothing kept was given, for one). See README.md beside this
file. Standard library and `cryptography` only. Memory grows with the number of chains, not with that of entries.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from chariot_ledger_check import Broken, Check
from chariot_ledger_kept import read_kept, read_proof
from chariot_ledger_read import Export, Unreadable, read_key

OK, BROKEN, UNREADABLE, UNCHECKED = 0, 1, 2, 3
VERDICTS = {OK: "ok", BROKEN: "broken", UNREADABLE: "unreadable", UNCHECKED: "unchecked"}


def verify(arguments: argparse.Namespace, tell: Callable[[str], None]) -> dict[str, Any]:
    """The verdict as the JSON object of README.md."""
    answer: dict[str, Any] = dict.fromkeys(("origin", "size", "root", "made_at", "filter", "entries", "first"))
    check = None
    try:
        keys = [read_key(text) for text in arguments.key]
        export = Export(Path(arguments.export))
        answer |= {"origin": export.note.origin, "size": export.note.size, "root": export.note.root.hex()}
        answer |= {"made_at": export.made_at, "filter": export.filter}
        kept = [thing for name in arguments.kept for thing in read_kept(Path(name))]
        proofs = [read_proof(Path(name)) for name in arguments.proof]
        check = Check(export, kept, keys, proofs, arguments.older, tell)
        check.run()
        answer |= {"entries": check.entries}
        only = f" with the filter {json.dumps(export.filter)}" if export.filter else ""
        held = f"the {check.entries} entries of {export.note.origin}{only}"
        if check.unchecked:
            code, message = UNCHECKED, f"Nothing is wrong with {held}, but not everything could be checked."
        else:
            code, message = OK, f"{held[:1].upper()}{held[1:]} are what was kept."
    except Broken as broken:
        code, message = BROKEN, f"{str(broken)[:1].upper()}{str(broken)[1:]}"
        answer["first"] = broken.first
    except Unreadable as error:
        code, message = UNREADABLE, str(error)
    said = {name: getattr(check, name, []) for name in ("checked", "unchecked", "remarks")}
    return {"verdict": VERDICTS[code], "exit_code": code, "message": message, **answer, **said}


def main(given: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="chariot-ledger-verify",
        description="Checks an export of the ledger (JSON Lines) against what you kept, and names the first entry that "
        "was changed, removed, added or reordered. Exit codes: 0 it holds, 1 it does not, 2 a file cannot be read, 3 "
        "nothing is wrong but something could not be checked.",
    )
    parser.add_argument("export", metavar="EXPORT")
    parser.add_argument(
        "--kept",
        action="append",
        default=[],
        metavar="FILE_OR_FOLDER",
        help="what you kept: a checkpoint, the leaf hashes of a mail, an earlier export, the folder of a witness, or a "
        "folder with such files; may be given more than once",
    )
    parser.add_argument(
        "--key", action="append", default=[], metavar="VKEY", help="the portal's checkpoint key, name+hash+base64"
    )
    parser.add_argument(
        "--proof",
        action="append",
        default=[],
        metavar="FILE",
        help="a consistency proof from what you kept (see README)",
    )
    parser.add_argument("--older", action="store_true", help="the export was made before what you kept")
    parser.add_argument("--json", action="store_true", help="print the verdict as one JSON object")
    arguments = parser.parse_args(given)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no such letter is no failure
    answer = verify(arguments, lambda text: _write(sys.stderr, text))
    _write(sys.stdout, json.dumps(answer) if arguments.json else _text(answer))
    return int(answer["exit_code"])


def _text(answer: dict[str, Any]) -> str:
    lines = [f"{answer['verdict'].upper()}: {answer['message']}"]
    lines += [
        f"{name.removesuffix('s')}: {line}" for name in ("checked", "unchecked", "remarks") for line in answer[name]
    ]
    return "\n".join(lines)


def _write(stream: TextIO, text: str) -> None:
    stream.write(f"{text}\n")
    stream.flush()


if __name__ == "__main__":
    sys.exit(main())
