"""A wire between client and server that can be cut, and servers that say nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Wire:
    """Passes on what client and server say, until `after` bytes of the server went through; then it breaks or hangs."""

    def __init__(self, server: tuple[str, int], after: int, *, hangs: bool) -> None:
        self._target, self._left, self._hangs = server, after, hangs
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                self._open += [client, server]
                threading.Thread(target=self._up, args=(client, server), daemon=True).start()
                threading.Thread(target=self._down, args=(server, client), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while said := client.recv(65536):
                server.sendall(said)

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while said := server.recv(4096):
                passed = said[: self._left]
                self._left -= len(passed)
                client.sendall(passed)
                if self._left:
                    continue
                if not self._hangs:
                    client.shutdown(socket.SHUT_RDWR)
                return

    def close(self) -> None:
        for each in self._open:
            with suppress(OSError):
                each.close()


@contextmanager
def wire(host: str, port: int, after: int, *, hangs: bool = False) -> Iterator[int]:
    """The port of a wire to the server."""
    made = Wire((host, port), after, hangs=hangs)
    try:
        yield made.port
    finally:
        made.close()


@contextmanager
def silent_server() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
