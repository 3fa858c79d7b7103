"""The command `chariot-license`: reads, calls one method of `Instance`, and says what came of it.

Results go to standard output, messages to standard error. Exit status: 0 done, 1 refused by a rule, 2 bad input
or a state directory that cannot be used.
"""

import argparse
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from chariot_license import answers
from chariot_license.errors import ClientError, InputError
from chariot_license.host import load_facts
from chariot_license.instance import Instance
from chariot_license.protocol.block import Kind
from chariot_license.protocol.errors import ProtocolError
from chariot_license.protocol.qr import qr_payload, qr_svg, qr_terminal
from chariot_license.results import Refused, RequestMade
from chariot_license.roots import roots_from_file
from chariot_license.rules import UNKNOWN_VERSION

DONE, REFUSED, BAD_INPUT = 0, 1, 2
MOST_BYTES = 8_000_000

HELP = {
    "request": "make a Usage Request; it invalidates the one before",
    "install": "install the Usage License that answers the newest Usage Request",
    "status": "show license, features, host and clock",
    "deactivate": "destroy the license here and show the code that frees its activation",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a customer's name must not stop an old terminal
    try:
        return _run(arguments)
    except (ProtocolError, ClientError) as error:
        _fail("bad-input", error.code, error.message, error.detail, as_json=as_json)
    except BrokenPipeError:
        # Whoever read the output has gone; a second failure at exit would print a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except KeyboardInterrupt:
        _fail("bad-input", "interrupted", "Interrupted; nothing more was done.", {}, as_json=as_json)
        return 130
    except Exception as error:
        message = f"This should not happen ({type(error).__name__}: {error}). Please report it to Support."
        _fail("bad-input", "internal-error", message, {}, as_json=as_json)
    return BAD_INPUT


def _run(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    commands: dict[str, Callable[[argparse.Namespace], int]] = {
        "request": _request,
        "install": _install,
        "status": _status,
        "deactivate": _deactivate,
    }
    return commands[options.command](options)


def _request(options: argparse.Namespace) -> int:
    key = _one_line("License Key") if options.license_key == "-" else options.license_key
    made = _instance(options).request(key)
    if isinstance(made, Refused):
        return _refuse(made, options)
    shown = answers.request_json(made)
    if options.qr:
        shown["qr"] = qr_payload(Kind.REQUEST, made.data)
    _warn(made.warnings)
    if options.out:
        _write_out(options, made)
    if options.json:
        _print_json(shown)
    elif not options.out:
        _print(made.block)
        if options.qr:
            _print("\n" + qr_terminal(Kind.REQUEST, made.data))
    return DONE


def _install(options: argparse.Namespace) -> int:
    done = _instance(options).install(_input(options.file))
    if isinstance(done, Refused):
        return _refuse(done, options)
    _warn(done.warnings)
    _answer(options, answers.installed_json(done), answers.installed_text(done))
    return DONE


def _status(options: argparse.Namespace) -> int:
    status = _instance(options).status()
    _warn(status.warnings)
    _answer(options, answers.status_json(status), answers.status_text(status))
    return DONE


def _deactivate(options: argparse.Namespace) -> int:
    instance = _instance(options)
    if not options.yes and not options.json and sys.stdin.isatty() and not _confirmed(instance):
        return _refuse(Refused("not-confirmed", "Nothing was deactivated."), options)
    gone = instance.deactivate()
    if isinstance(gone, Refused):
        return _refuse(gone, options)
    _warn(gone.warnings)
    _answer(options, answers.deactivated_json(gone), answers.deactivated_text(gone))
    return DONE


def _confirmed(instance: Instance) -> bool:
    if instance.status().state == "deactivated":
        return True
    _say("This destroys the license on this host, and Chariot stops running on it. Type yes to go on: ", end="")
    return sys.stdin.readline().strip().lower() == "yes"


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


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError("usage", f"{message[:1].upper()}{message[1:]}. See: {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="chariot-license",
        description="Offline licensing of Chariot MQTT Server.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    _shared_options(parser, None, json_default=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made = {
        name: commands.add_parser(name, help=text, description=text, allow_abbrev=False) for name, text in HELP.items()
    }
    for command in made.values():
        # Without a default of their own the options keep what was given before the command.
        _shared_options(command, argparse.SUPPRESS, json_default=argparse.SUPPRESS)
    made["request"].add_argument(
        "license_key", metavar="LICENSE_KEY", help="from the purchase email; - reads it from standard input"
    )
    made["request"].add_argument("--qr", action="store_true", help="show a QR code too")
    made["request"].add_argument("--out", metavar="FILE", help="write to FILE; with --qr and *.svg, the QR code")
    made["install"].add_argument("file", metavar="FILE", nargs="?", default="-", help="default: standard input")
    made["deactivate"].add_argument("--yes", action="store_true", help="do not ask")
    return parser


def _shared_options(parser: argparse.ArgumentParser, default: str | None, *, json_default: object) -> None:
    parser.add_argument("--state-dir", metavar="DIR", default=default, help="default: $CHARIOT_STATE_DIR")
    parser.add_argument("--json", action="store_true", default=json_default, help="print one JSON object")
    parser.add_argument("--trust-root", metavar="FILE", default=default, help="root of a TEST portal")
    parser.add_argument("--chariot-version", metavar="V", default=default, help="default: $CHARIOT_VERSION")


def _input(name: str) -> bytes:
    if name == "-":
        if sys.stdin.isatty():
            _say("Paste the Usage License, then press Ctrl-D on an empty line.")
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    try:
        with Path(name).open("rb") as stream:
            return stream.read(MOST_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError("input-unreadable", f"{name} cannot be read: {reason}. Check the file name.") from error


def _one_line(what: str) -> str:
    if sys.stdin.isatty():
        _say(f"{what}: ", end="")
    return sys.stdin.buffer.readline(4096).decode("utf-8", "replace")


def _write_out(options: argparse.Namespace, made: RequestMade) -> None:
    as_picture = options.qr and options.out.lower().endswith(".svg")
    text = qr_svg(Kind.REQUEST, made.data) if as_picture else made.block
    try:
        Path(options.out).write_text(text, encoding="utf-8")
    except OSError as error:
        # The request counts already, so it must not be lost with the file.
        if not options.json:
            _print(made.block)
        reason = error.strerror or str(error)
        message = f"{options.out} cannot be written: {reason}. The Usage Request was made; send the one shown here."
        raise InputError("output-unwritable", message, usage_request=made.block) from error
    _say(f"Usage Request written to {options.out}. Send it to Support.")


def _answer(options: argparse.Namespace, as_json: dict[str, object], as_text: str) -> None:
    if options.json:
        _print_json(as_json)
    else:
        _print(as_text)


def _refuse(refused: Refused, options: argparse.Namespace) -> int:
    _fail("refused", refused.code, refused.message, refused.detail, as_json=options.json)
    return REFUSED


def _fail(outcome: str, code: str, message: str, detail: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        _print_json({"outcome": outcome, "code": code, "message": message, "detail": detail})
    else:
        _say(message)


def _warn(warnings: Sequence[str]) -> None:
    for warning in warnings:
        _say(f"Warning: {warning}")


def _say(text: str, end: str = "\n") -> None:
    sys.stderr.write(text + end)
    sys.stderr.flush()


def _print(text: str) -> None:
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def _print_json(value: dict[str, object]) -> None:
    _print(json.dumps(value, indent=2, default=str))


EPILOG = (
    "Environment: CHARIOT_STATE_DIR, CHARIOT_VERSION; for tests only CHARIOT_TRUST_ROOT and CHARIOT_HOST_FACTS, which"
    " mark the state directory as a test state for good. Exit status: 0 done, 1 refused by a rule, 2 bad input."
)

if __name__ == "__main__":
    sys.exit(main())
