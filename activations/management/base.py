"""What the portal's commands share: JSON, exit codes, input, and the mapping of results to answers (Design 7).

Exit codes: 0 done, 1 refused by a rule, 2 bad input, 3 a person must choose, 4 the portal cannot work now (database,
keys); nothing was booked in any case but 0 and 3. The result goes to standard output, messages to standard error.
"""

from __future__ import annotations

import io
import json
import sys
from argparse import ArgumentParser
from contextlib import redirect_stderr
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, ProgrammingError

from activations.domain.words import Actor
from activations.services.actors import UnknownActor, actor_named
from activations.services.licenses import FeatureTerm
from activations.services.results import BadInput, Refused
from activations.services.signing import NoSigningKey
from activations.services.vault import VaultError

DONE, REFUSED, BAD_INPUT, PENDING, UNAVAILABLE = 0, 1, 2, 3, 4
SOURCE = "command"
MOST_INPUT = 32 * 1024 * 1024
T = TypeVar("T")


class Stop(Exception):
    """Ends a command with an answer."""

    def __init__(self, exit_code: int, answer: dict[str, Any]) -> None:
        super().__init__(answer.get("message", ""))
        self.exit_code, self.answer = exit_code, answer


class PortalCommand(BaseCommand):
    """A command that answers with one JSON object or with text, and with an exit code that means something."""

    requires_system_checks = []
    stealth_options = ("stdin",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object, refusals too")
        self.arguments(parser)

    def arguments(self, parser: ArgumentParser) -> None:
        """The command's own arguments."""

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        """Does it and returns the answer; raises Stop for anything but success."""
        raise NotImplementedError

    def lines(self, answer: dict[str, Any]) -> list[str]:
        """The answer as text for standard output."""
        return [f"{name}: {value}" for name, value in answer.items() if name not in ("outcome", "message")]

    def handle(self, *args: Any, **options: Any) -> None:
        exit_code = DONE
        try:
            _check_text(options)
            answer = {"outcome": "done", **self.perform(options)}
        except Stop as stop:
            exit_code, answer = stop.exit_code, stop.answer
        except (OperationalError, InterfaceError, ProgrammingError) as error:
            exit_code, answer = UNAVAILABLE, _unavailable(error)
        except (NoSigningKey, VaultError) as error:
            message = f"Nothing was booked. {error}"
            exit_code, answer = UNAVAILABLE, {"outcome": "unavailable", "code": "keys", "message": message}
        self._print(answer, exit_code, as_json=options["json"])
        if exit_code != DONE:
            sys.exit(exit_code)

    def run_from_argv(self, argv: list[str]) -> None:
        """As any command; with --json, arguments that cannot be understood are answered in JSON too."""
        if "--json" in argv:
            said = io.StringIO()
            self._called_from_command_line = True  # or the parser raises instead of exiting
            try:
                with redirect_stderr(said):
                    self.create_parser(argv[0], argv[1]).parse_args(argv[2:])
            except SystemExit as stop:
                if stop.code:
                    message = said.getvalue().rpartition("error: ")[2].strip()
                    self._print(bad_input("usage", f"{message}. See: manage.py {argv[1]} --help").answer, as_json=True)
                raise
        super().run_from_argv(argv)

    def _print(self, answer: dict[str, Any], exit_code: int = BAD_INPUT, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(answer))
            return
        if answer.get("message"):
            self.stderr.write(str(answer["message"]), style_func=None if exit_code else str)
        if exit_code == DONE:
            for line in self.lines(answer):
                self.stdout.write(line)


def _unavailable(error: Exception) -> dict[str, Any]:
    return {
        "outcome": "unavailable",
        "code": "database-unavailable",
        "message": "The database cannot be used, so nothing was booked. Check DATABASE_URL and the server, run "
        f"`manage.py migrate` if it is new, and try again. ({str(error).strip()})",
    }


def _check_text(options: dict[str, Any]) -> None:
    """Bytes that are no text come through the command line as lone surrogates, which nothing behind it can store."""
    for name, value in options.items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
                raise bad_input("argument-unreadable", f"The value of {name} is not text in UTF-8. Type it again.")


def done(result: T | Refused | BadInput) -> T:
    """The success of a use case; its refusal ends the command."""
    match result:
        case Refused(code, message, detail):
            raise Stop(REFUSED, {"outcome": "refused", "code": code, "message": message, **detail})
        case BadInput(code, message, detail):
            raise Stop(BAD_INPUT, {"outcome": "bad-input", "code": code, "message": message, **detail})
    return result


def bad_input(code: str, message: str) -> Stop:
    return Stop(BAD_INPUT, {"outcome": "bad-input", "code": code, "message": message})


def add_actor(parser: ArgumentParser) -> None:
    parser.add_argument("--actor", required=True, metavar="USER", help="the staff member who does this")


def named_actor(username: str) -> Actor:
    try:
        return actor_named(username)
    except UnknownActor as error:
        raise bad_input("actor-unknown", str(error)) from None


def read_input(name: str) -> bytes:
    """The bytes of a file, or of standard input for "-"."""
    try:
        data = sys.stdin.buffer.read(MOST_INPUT + 1) if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise bad_input("file-unreadable", f"{name} cannot be read: {error.strerror}.") from None
    if len(data) > MOST_INPUT:
        raise bad_input("input-too-large", "The input is larger than 32 MB. Give only the mail or the text block.")
    return data


def feature_terms(texts: list[str]) -> list[FeatureTerm]:
    """CODE or CODE:YYYY-MM-DD, each the last day of the feature."""
    return [_feature(text) for text in texts]


def _feature(text: str) -> FeatureTerm:
    code, colon, day = text.partition(":")
    if not colon:
        return FeatureTerm(code)
    try:
        return FeatureTerm(code, date.fromisoformat(day))
    except ValueError:
        raise bad_input("feature-date", f"{text!r}: write the last day as CODE:YYYY-MM-DD.") from None
