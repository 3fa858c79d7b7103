"""An IMAP server that says what a test tells it to: what servers are known to say, and Dovecot does not."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from licensing_portal.mailboxes import MailboxAddress

Say = Callable[[str], list[str]]  # the command without its tag -> what is said; the last line is the tagged one


class _Talk(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server: Any = self.server
        self._line("* OK [CAPABILITY IMAP4rev1] here")
        for line in self.rfile:
            tag, _, command = line.decode().strip().partition(" ")
            verb = command.partition(" ")[0].upper()
            known = {
                "CAPABILITY": ["* CAPABILITY IMAP4rev1", "OK done"],
                "LOGIN": ["OK in"],
                "LOGOUT": ["* BYE now", "OK done"],
            }
            *untagged, last = known.get(verb) or server.say(command)
            for each in untagged:
                self._line(each)
            self._line(f"{tag} {last}")

    def _line(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    say: Say

    def handle_error(self, *_: Any) -> None:
        """The client hung up."""


@contextmanager
def odd_server(say: Say) -> Iterator[MailboxAddress]:
    with _Server(("127.0.0.1", 0), _Talk) as server:
        server.say = say
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        yield MailboxAddress("imap", "127.0.0.1", int(port), "support@portal.example", "secret", "INBOX")
        server.shutdown()


def literal(before: str, data: bytes, after: str = ")") -> str:
    return f"{before} {{{len(data)}}}\r\n{data.decode()}{after}"
