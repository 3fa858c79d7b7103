"""The command `chariot-license`: its options, its exit status, and whatever keeps an answer from being seen.

Results go to standard output, messages to standard error. Exit status: 0 done, 1 refused by a rule, 2 bad input,
a state directory that cannot be used or an answer that cannot be written, 3 the request waits at Support, 4 the server
could not be asked, 130 interrupted, 141 nobody reads the
answer any more.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any, NoReturn

from chariot_license import streams
from chariot_license.errors import ClientError, InputError
from chariot_license.protocol.errors import ProtocolError

if TYPE_CHECKING:
    from chariot_license.commands import Progress

BAD_INPUT, INTERRUPTED = 2, 130

HELP = {
    "request": "make a Usage Request; it invalidates the one before",
    "activate": "make a Usage Request, or take the one that waits, and get its Usage License from a server",
    "carry": "on a computer that has internet: get the Usage License for another host's Usage Request",
    "install": "install the Usage License that answers the newest Usage Request",
    "status": "show license, features, host and clock",
    "deactivate": "destroy the license here and show the code that frees its activation",
    "statement": "check a license statement that Support sent, and show what it says; changes nothing",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    progress = None
    try:
        streams.prepare()
        # Most of the start is spent on these, and Ctrl-C may come then too.
        from chariot_license import commands

        progress = commands.Progress()
        return _run(arguments, progress, as_json=as_json)
    except streams.OutputFailed as failed:
        return _unwritten(failed, progress.stands if progress else "")
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second one ends it at once, and silently
        return _interrupted(progress, as_json=as_json)


def _run(arguments: list[str], progress: "Progress", *, as_json: bool) -> int:
    from chariot_license import commands

    try:
        return commands.run(_parser().parse_args(arguments), progress)
    except (ProtocolError, ClientError) as error:
        commands.fail("bad-input", error.code, error.message, error.detail, as_json=as_json)
    except streams.OutputFailed:
        raise
    except Exception as error:
        what = f"This should not happen ({type(error).__name__}: {error}). Please report it to Support."
        message = f"{what} {progress.stands}".strip()
        commands.fail("bad-input", "internal-error", message, {}, as_json=as_json)
    return BAD_INPUT


def _unwritten(failed: streams.OutputFailed, stands: str) -> int:
    """A reader that went away is no failure (`... | head -1`), unless it missed what counts already."""
    if stands or not failed.nobody_reads:
        what = stands or "Nothing was changed. Run the command again, with its standard output open."
        streams.say(f"The answer could not be written to standard output: {failed}. {what}")
    return streams.BROKEN_PIPE if failed.nobody_reads else BAD_INPUT


def _interrupted(progress: "Progress | None", *, as_json: bool) -> int:
    message = f"Interrupted. {(progress.stands if progress else '') or 'Nothing was changed.'}"
    if progress is None or progress.answering:
        streams.say(message)  # standard output may hold half an answer
        return INTERRUPTED
    from chariot_license import commands

    try:
        commands.fail("bad-input", "interrupted", message, {}, as_json=as_json)
    except streams.OutputFailed as failed:
        _unwritten(failed, progress.stands)
    return INTERRUPTED


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError("usage", f"{message[:1].upper()}{message[1:]}. See: {self.prog} --help")

    def print_help(self, file: IO[str] | Any = None) -> None:
        streams.write(self.format_help())


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
    made["statement"].add_argument("file", metavar="FILE", help="the PDF or JSON file; - reads standard input")
    made["activate"].add_argument(
        "license_key", metavar="LICENSE_KEY", help="from the purchase email; - reads it from standard input"
    )
    made["activate"].add_argument(
        "--new", action="store_true", help="make a new Usage Request although one waits; it invalidates that one"
    )
    made["carry"].add_argument("file", metavar="FILE", nargs="?", default="-", help="default: standard input")
    for name in ("activate", "carry"):
        made[name].add_argument("--server", metavar="URL", required=True, help="the vendor's portal, https://...")
        made[name].add_argument("--wait", metavar="MINUTES", help="go on asking until Support has decided")
        made[name].add_argument("--ca-file", metavar="FILE", help="certificates to trust instead of the system's")
    made["deactivate"].add_argument("--yes", action="store_true", help="do not ask")
    return parser


def _shared_options(parser: argparse.ArgumentParser, default: str | None, *, json_default: object) -> None:
    parser.add_argument("--state-dir", metavar="DIR", default=default, help="default: $CHARIOT_STATE_DIR")
    parser.add_argument("--json", action="store_true", default=json_default, help="print one JSON object")
    parser.add_argument("--trust-root", metavar="FILE", default=default, help="root of a TEST portal")
    parser.add_argument("--chariot-version", metavar="V", default=default, help="default: $CHARIOT_VERSION")


EPILOG = (
    "Environment: CHARIOT_STATE_DIR, CHARIOT_VERSION; for tests only CHARIOT_TRUST_ROOT and CHARIOT_HOST_FACTS, which"
    " mark the state directory as a test state for good. Exit status: 0 done, 1 refused by a rule, 2 bad input or an"
    " answer that cannot be written, 3 waits at Support, 4 the server could not be asked, 130 interrupted, 141 nobody"
    " reads the answer any more."
)

if __name__ == "__main__":
    sys.exit(main())
