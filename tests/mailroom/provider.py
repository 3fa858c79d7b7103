"""A real HTTP server that answers as mail providers do, and keeps what it was given."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LONG_AGO = 3600  # seconds that a server which hangs would wait


@dataclass
class Asked:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def form(self) -> dict[str, Any]:
        """The fields of a multipart form; a file is (name, bytes)."""
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        fields: dict[str, Any] = {}
        for part in BytesParser(policy=HTTP).parsebytes(head + self.body).iter_parts():
            name = str(part.get_param("name", header="Content-Disposition"))
            data = part.get_payload(decode=True)
            assert isinstance(data, bytes)
            file = part.get_filename()
            fields[name] = (file, data) if file else data.decode()
        return fields


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """The client went away: what the tests of hanging servers are about."""


class Provider:
    """`answer`: status and JSON or text of the next answers; `mood`: "answers", "hangs", "drops"."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: tuple[int, object] = (200, {})
        self.headers: dict[str, str] = {}
        self.mood = "answers"
        self.over = threading.Event()
        provider = self

        class Talk(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                provider.asked.append(Asked(self.path, dict(self.headers), body))
                if provider.mood == "hangs":
                    provider.over.wait(LONG_AGO)
                if provider.mood != "answers":
                    self.close_connection = True
                    return
                status, said = provider.answer
                answer = said.encode() if isinstance(said, str) else json.dumps(said).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(answer)), **provider.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: Any) -> None:
                return

        self._server = _Quiet(("127.0.0.1", 0), Talk)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@contextmanager
def providing() -> Iterator[Provider]:
    provider = Provider()
    provider.start()
    try:
        yield provider
    finally:
        provider.stop()
