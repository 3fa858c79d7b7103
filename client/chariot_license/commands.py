"""What each command of `chariot-license` does: reads, calls one method of `Instance`, and says what came of it."""

import argparse
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chariot_license import answers, statement_answers, streams
from chariot_license.errors import InputError
from chariot_license.host import load_facts
from chariot_license.instance import Instance
from chariot_license.outfile import OutFile, out_file
from chariot_license.protocol.block import Kind
from chariot_license.protocol.qr import qr_payload, qr_svg, qr_terminal
from chariot_license.protocol.reader import read_block
from chariot_license.protocol.statement import MAX_FILE
from chariot_license.results import Refused, RequestMade
from chariot_license.roots import roots_from_file
from chariot_license.rules import UNKNOWN_VERSION

if TYPE_CHECKING:
    from chariot_license.online import Asked, Server

DONE, REFUSED, WAITING, UNREACHABLE = 0, 1, 3, 4
MOST_BYTES = 8_000_000

# What a user who does not see the answer must know.
REQUEST_OPEN = "Whether the Usage Request counts already, `chariot-license status` shows; send only the newest one."
REQUEST_COUNTS = (
    "The Usage Request was made and counts: an earlier one is no longer valid. It cannot be shown again. Run"
    " `chariot-license request` once more, and send what that shows."
)
REQUEST_KEPT = "The Usage Request was made and counts. Run the same command again: it goes on with this request."
# The server's codes after which this very request can never be answered.
ENDED = frozenset(
    {
        "superseded",
        "superseded-by-backup",
        "declined-earlier",
        "answer-withdrawn",
        "request-id-repeated",
        "license-proof-wrong",
        "version-not-covered",
    }
)
NEEDS_NEW = " To make the new request and post it here, run this again with --new."
INSTALL_OPEN = "Whether the Usage License is installed, `chariot-license status` shows."
INSTALLED = "The Usage License is installed; `chariot-license status` shows it."
DEACTIVATE_OPEN = "Whether this Chariot is deactivated, `chariot-license status` shows."
DEACTIVATED = (
    "This Chariot is deactivated, and its license destroyed. Run `chariot-license deactivate` again to see the"
    " deactivation code; make no new Usage Request before."
)


@dataclass
class Progress:
    """How far a command came, for whoever has to say why its answer was not seen.

    `stands` says what has been changed, or may have been; "" as long as nothing was. `answering`: the answer may be
    partly written.
    """

    stands: str = ""
    answering: bool = False


def run(options: argparse.Namespace, progress: Progress) -> int:
    """Do one command and return its exit status. Raises the named errors, and OutputFailed."""
    commands: dict[str, Callable[[argparse.Namespace, Progress], int]] = {
        "request": _request,
        "activate": _activate,
        "carry": _carry,
        "install": _install,
        "status": _status,
        "deactivate": _deactivate,
        "statement": _statement,
    }
    return commands[options.command](options, progress)


def fail(outcome: str, code: str, message: str, detail: dict[str, object], *, as_json: bool) -> None:
    """Say what went wrong: in JSON on standard output, else (or if that fails) on standard error."""
    if not as_json:
        streams.say(message)
        return
    try:
        _print_json({"outcome": outcome, "code": code, "message": message, "detail": detail})
    except streams.OutputFailed:
        streams.say(message)
        raise


def _request(options: argparse.Namespace, progress: Progress) -> int:
    if options.json or options.out is None:
        streams.require_output()
    key = _one_line("License Key") if options.license_key == "-" else options.license_key
    instance = _instance(options)
    with out_file(options.out, _state_dir(options.state_dir)) as out:
        progress.stands = REQUEST_OPEN
        made = instance.request(key)
        if isinstance(made, Refused):
            progress.stands = ""
            return _refuse(made, options)
        progress.stands = REQUEST_COUNTS
        _warn(made.warnings)
        if out:
            _write_out(options, made, out)
            progress.stands = f"The Usage Request was made and counts; {out.name} holds it. Send that to Support."
    shown = answers.request_json(made)
    if options.qr:
        shown["qr"] = qr_payload(Kind.REQUEST, made.data)
    picture = f"\n\n{qr_terminal(Kind.REQUEST, made.data)}" if options.qr else ""
    if options.json or not out:
        _answer(options, progress, shown, f"{made.block.rstrip()}{picture}")
    return DONE


def _activate(options: argparse.Namespace, progress: Progress) -> int:
    from chariot_license import asking  # the network's libraries take long to load, and no other command needs them
    from chariot_license.online import Given

    streams.require_output()
    server, minutes = _server(options), asking.minutes(options.wait)
    key = _one_line("License Key") if options.license_key == "-" else options.license_key
    instance = _instance(options)
    block = None if options.new else instance.pending_request(key)
    if block is None:
        progress.stands = REQUEST_OPEN
        made = instance.request(key)
        if isinstance(made, Refused):
            progress.stands = ""
            return _refuse(made, options)
        block = made.block
        _warn(made.warnings)
    progress.stands = REQUEST_KEPT
    asked = asking.until_answered(server, block, minutes, say=streams.say)
    if not isinstance(asked, Given):
        return _not_given(asked, options, progress)
    return _installed(instance, asked.block, options, progress)


def _carry(options: argparse.Namespace, progress: Progress) -> int:
    """Nothing is kept here: neither the request nor the license is this computer's."""
    from chariot_license import asking
    from chariot_license.online import Given

    streams.require_output()
    server, minutes = _server(options), asking.minutes(options.wait)
    block = read_block(_input(options.file, "Usage Request"), Kind.REQUEST).text
    asked = asking.until_answered(server, block, minutes, say=streams.say)
    if not isinstance(asked, Given):
        return _not_given(asked, options, progress)
    _answer(options, progress, answers.given_json(asked), asked.block.rstrip())
    return DONE


def _server(options: argparse.Namespace) -> "Server":
    from chariot_license.online import Server

    return Server.named(options.server, Path(options.ca_file) if options.ca_file else None)


def _not_given(asked: "Asked", options: argparse.Namespace, progress: Progress) -> int:
    """Why there is no Usage License, in words and as an exit status."""
    from chariot_license.online import PATIENCE, Unreachable, Waits

    if isinstance(asked, Refused):
        again = NEEDS_NEW if options.command == "activate" and asked.code in ENDED else ""
        return _refuse(Refused(asked.code, f"{asked.message}{again}", asked.detail), options)
    if isinstance(asked, Unreachable):
        fail("unreachable", asked.code, asked.message, {}, as_json=options.json)
        return UNREACHABLE
    assert isinstance(asked, Waits)  # the last of what it can be  # noqa: S101
    if options.json:
        _answer(options, progress, answers.waits_json(asked), "")
    else:
        streams.say(f"{asked.message} {PATIENCE}")
    return WAITING


def _install(options: argparse.Namespace, progress: Progress) -> int:
    streams.require_output()
    return _installed(_instance(options), _input(options.file), options, progress)


def _installed(instance: Instance, source: str | bytes, options: argparse.Namespace, progress: Progress) -> int:
    """Installs the Usage License in a text, and says so."""
    progress.stands = INSTALL_OPEN
    done = instance.install(source)
    progress.stands = ""
    if isinstance(done, Refused):
        return _refuse(done, options)
    progress.stands = INSTALLED
    _warn(done.warnings)
    _answer(options, progress, answers.installed_json(done), answers.installed_text(done))
    return DONE


def _status(options: argparse.Namespace, progress: Progress) -> int:
    streams.require_output()
    status = _instance(options).status()
    _warn(status.warnings)
    _answer(options, progress, answers.status_json(status), answers.status_text(status))
    return DONE


def _deactivate(options: argparse.Namespace, progress: Progress) -> int:
    streams.require_output()
    instance = _instance(options)
    if not options.yes and not options.json and streams.input_is_terminal() and not _confirmed(instance):
        return _refuse(Refused("not-confirmed", "Nothing was deactivated."), options)
    progress.stands = DEACTIVATE_OPEN
    gone = instance.deactivate()
    progress.stands = ""
    if isinstance(gone, Refused):
        return _refuse(gone, options)
    progress.stands = DEACTIVATED
    _warn(gone.warnings)
    _answer(options, progress, answers.deactivated_json(gone), answers.deactivated_text(gone))
    return DONE


def _statement(options: argparse.Namespace, progress: Progress) -> int:
    streams.require_output()
    checked = _instance(options).check_statement(_input(options.file, "license statement", MAX_FILE))
    if isinstance(checked, Refused):
        return _refuse(checked, options)
    _warn(checked.warnings)
    _answer(options, progress, statement_answers.statement_json(checked), statement_answers.statement_text(checked))
    return DONE


def _confirmed(instance: Instance) -> bool:
    if instance.status().state == "deactivated":
        return True
    question = "This destroys the license on this host, and Chariot stops running on it. Type yes to go on: "
    if not streams.say(question, end=""):
        raise InputError("question-unseen", "Standard error is closed, so nobody can be asked. Give --yes.")
    return streams.input_line().strip().lower() == "yes"


def _instance(options: argparse.Namespace) -> Instance:
    root = options.trust_root or os.environ.get("CHARIOT_TRUST_ROOT")
    facts = os.environ.get("CHARIOT_HOST_FACTS")
    return Instance.for_command_line(
        _state_dir(options.state_dir),
        version=options.chariot_version or os.environ.get("CHARIOT_VERSION") or UNKNOWN_VERSION,
        roots=roots_from_file(Path(root)) if root else None,
        facts=load_facts(Path(facts)) if facts else None,
    )


def _state_dir(given: str | None) -> Path:
    named = given or os.environ.get("CHARIOT_STATE_DIR")
    if named:
        return Path(named)
    base = os.environ.get("XDG_STATE_HOME") or ""
    try:
        return (Path(base) if Path(base).is_absolute() else Path.home() / ".local/state") / "chariot-license"
    except RuntimeError as error:
        raise InputError("no-state-dir", "There is no home directory. Name a state directory: --state-dir.") from error


def _input(name: str, what: str = "Usage License", most: int = MOST_BYTES) -> bytes:
    if name == "-":
        if streams.input_is_terminal():
            streams.say(f"Paste the {what}, then press Ctrl-D on an empty line.")
        return streams.input_bytes(most + 1)
    try:
        with Path(name).open("rb") as stream:
            return stream.read(most + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError("input-unreadable", f"{name} cannot be read: {reason}. Check the file name.") from error


def _one_line(what: str) -> str:
    if streams.input_is_terminal():
        streams.say(f"{what}: ", end="")
    return streams.input_line()


def _write_out(options: argparse.Namespace, made: RequestMade, out: OutFile) -> None:
    as_picture = options.qr and out.name.lower().endswith(".svg")
    try:
        out.write(qr_svg(Kind.REQUEST, made.data) if as_picture else made.block)
    except OSError as error:
        # The request counts already, so it must not be lost with the file.
        if not options.json:
            streams.write(made.block)
        reason = error.strerror or str(error)
        message = f"{out.name} cannot be written: {reason}. The Usage Request was made and counts; send the one shown."
        raise InputError("output-unwritable", message, usage_request=made.block) from error
    streams.say(f"Usage Request written to {out.name}. Send it to Support.")


def _answer(options: argparse.Namespace, progress: Progress, as_json: dict[str, object], as_text: str) -> None:
    progress.answering = True
    if options.json:
        _print_json(as_json)
    else:
        streams.write(as_text)


def _refuse(refused: Refused, options: argparse.Namespace) -> int:
    fail("refused", refused.code, refused.message, refused.detail, as_json=options.json)
    return REFUSED


def _warn(warnings: Sequence[str]) -> None:
    for warning in warnings:
        streams.say(f"Warning: {warning}")


def _print_json(value: dict[str, object]) -> None:
    streams.write(json.dumps(value, indent=2, default=str))
