"""What the portal's commands share: JSON, exit codes, input, and the mapping of results to answers (Design 7).

Exit codes: 0 done, 1 refused by a rule, 2 bad input, 3 a person must choose, 4 the portal cannot work now (database,
keys), 5 the answer could not be written, 141 nobody read it any more. Nothing was booked with 1 (but a request's own
refusal), 2 and 4; with 5 and 141 the message says what was. The result goes to standard output, messages to standard
error.
"""

from __future__ import annotations

import io
import json
import re
import sys
from argparse import ArgumentParser
from contextlib import redirect_stderr, redirect_stdout
from datetime import date
from typing import Any, NoReturn, TypeVar

from django.core.management.base import BaseCommand, OutputWrapper
from django.db import DataError, IntegrityError
from django.db import Error as DatabaseFailure

from activations.domain.words import Actor
from activations.management import streams
from activations.services.actors import UnknownActor, actor_named
from activations.services.licenses import FeatureTerm
from activations.services.results import BadInput, Refused
from activations.services.signing import NoSigningKey
from activations.services.vault import VaultError

DONE, REFUSED, BAD_INPUT, PENDING, UNAVAILABLE, UNWRITTEN = 0, 1, 2, 3, 4, 5
SOURCE = "command"
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
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
        hidden = ("outcome", "message", "warnings")
        return [line for name, value in answer.items() if name not in hidden for line in _text(name, value)]

    def again(self, answer: dict[str, Any]) -> str:
        """What was booked, and how to get an answer that could not be written; "" when nothing was booked."""
        return ""

    def handle(self, *args: Any, **options: Any) -> None:
        exit_code = DONE
        try:
            _check_text(options)
            answer = {"outcome": "done", **self.perform(options)}
        except Stop as stop:
            exit_code, answer = stop.exit_code, stop.answer
        except DatabaseFailure as error:
            exit_code, answer = UNAVAILABLE, _unavailable(error)
        except (NoSigningKey, VaultError) as error:
            message = f"Nothing was booked. {error}"
            exit_code, answer = UNAVAILABLE, {"outcome": "unavailable", "code": "keys", "message": message}
        except streams.OutputFailed as failed:
            self._give_up(failed.cause, "")
        self._print(answer, exit_code, as_json=options["json"])
        if exit_code != DONE:
            sys.exit(exit_code)

    def run_from_argv(self, argv: list[str]) -> None:
        """As any command; with --json, arguments that cannot be understood are answered in JSON too."""
        streams.prepare()
        self.stdout, self.stderr = OutputWrapper(sys.stdout), OutputWrapper(sys.stderr)
        self.stderr.style_func = self.style.ERROR
        self._called_from_command_line = True  # or the parser raises instead of exiting
        shown, said = io.StringIO(), io.StringIO()
        try:
            with redirect_stdout(shown), redirect_stderr(said):
                self.create_parser(argv[0], argv[1]).parse_args(argv[2:])
        except SystemExit as stop:
            if stop.code and "--json" in argv:
                message = said.getvalue().rpartition("error: ")[2].strip()
                self._print(bad_input("usage", f"{message}. See: manage.py {argv[1]} --help").answer, as_json=True)
            else:
                self._write(shown.getvalue(), "")
                self.say(said.getvalue(), str)
            raise
        super().run_from_argv(argv)

    def say(self, text: str, style: Any = str) -> None:
        """A message on standard error. Where nobody can be told, nobody is told."""
        try:
            if text:
                self.stderr.write(text, style_func=style)
                self.stderr.flush()
        except streams.FAILURES:
            streams.silence(self.stderr)

    def _print(self, answer: dict[str, Any], exit_code: int = BAD_INPUT, *, as_json: bool) -> None:
        if as_json:
            self._write(json.dumps(answer) + "\n", self.again(answer))
            return
        self.say(str(answer.get("message") or ""), None if exit_code else str)
        for warning in answer.get("warnings", ()):
            self.say(f"Warning: {warning}")
        if exit_code == DONE:
            self._write("".join(f"{line}\n" for line in self.lines(answer)), self.again(answer))

    def _write(self, text: str, again: str) -> None:
        try:
            if text:
                self.stdout.write(text)
                self.stdout.flush()
        except streams.FAILURES as error:
            self._give_up(error, again)

    def _give_up(self, error: Exception, again: str) -> NoReturn:
        """The answer cannot be written. A reader that went away is no failure, unless it missed what was booked."""
        streams.silence(self.stdout)
        broken = isinstance(error, BrokenPipeError)
        if again or not broken:
            what = again or "Nothing was booked: run the command again."
            self.say(f"The answer could not be written to standard output: {streams.why(error)}. {what}", None)
        sys.exit(streams.BROKEN_PIPE if broken else UNWRITTEN)


def _text(name: str, value: Any) -> list[str]:
    """A member of the answer for people: a list as lines below its name."""
    if isinstance(value, list):
        return [f"{name}:", *(f"  {_words(entry)}" for entry in value)] if value else [f"{name}: none"]
    return [f"{name}: {_words(value)}"]


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(part)}" for name, part in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _unavailable(error: Exception) -> dict[str, Any]:
    if isinstance(error, IntegrityError | DataError):
        message = f"The database refused this, so nothing was booked. Tell an administrator. ({str(error).strip()})"
        return {"outcome": "unavailable", "code": "database-refused", "message": message}
    return {
        "outcome": "unavailable",
        "code": "database-unavailable",
        "message": "The database cannot be used, so nothing was booked. Check DATABASE_URL and the server, that it "
        "may be written and its disk is not full, run `manage.py migrate` if it is new, and try again. "
        f"({str(error).strip()})",
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


def feature_terms(texts: list[str]) -> list[FeatureTerm]:
    """CODE or CODE:YYYY-MM-DD, each the last day of the feature."""
    return [_feature(text) for text in texts]


def _feature(text: str) -> FeatureTerm:
    code, colon, day = text.partition(":")
    if not colon:
        return FeatureTerm(code)
    try:
        return FeatureTerm(code, read_day(day))
    except ValueError:
        raise bad_input("feature-date", f"{text!r}: write the last day as CODE:YYYY-MM-DD.") from None


def read_day(text: str) -> date:
    """A date as YYYY-MM-DD alone: `date.fromisoformat` takes week dates too. Raises ValueError."""
    if not DAY.fullmatch(text):
        raise ValueError("not written as YYYY-MM-DD")
    return date.fromisoformat(text)
