"""The parts that a portal in production leans on, each on a port of its own that stays the same, so that a test can
take it away and give it back.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from redis import Redis
from redis.exceptions import RedisError

from tests.ops.processes import ROOT, free_port

PATIENCE = 30  # seconds for a server to start


class RedisServer:
    """As docker-compose.yml runs it: what is queued outlives a restart."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        command = ["redis-server", "--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([*command, "--save", "", "--appendonly", "yes"], stdout=log, stderr=log)
        _until_it_answers(self._answers, "Redis")

    def _answers(self) -> bool:
        try:
            with Redis.from_url(self.url) as connection:
                return bool(connection.ping())
        except RedisError:
            return False

    def hang(self) -> None:
        """Connections are taken and nothing is answered, as on a machine that stalls."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    server = RedisServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()


class PostgresServer:
    """A server of its own (`bin/services`), because it is stopped: all other tests share one."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self._data = folder / "postgres" / "data"
        program = shlex.split((self._data / "postmaster.opts").read_text())[0]
        self._pg_ctl = str(Path(program).with_name("pg_ctl"))

    def stop(self, mode: str) -> None:
        """`mode`: fast (transactions are rolled back) or immediate (as in a crash: it recovers at the start)."""
        self._run("stop", "-m", mode)

    def start(self) -> None:
        """With the options of before: `restart` knows them, and starts a server that is not running, too."""
        self._run("restart", "-l", str(self._data.parent / "log"))
        _until_it_answers(self._answers, "PostgreSQL")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, *arguments: str) -> None:
        owner = self._data.stat()
        root = os.geteuid() == 0
        with (self._data.parent / "pg_ctl.out").open("ab") as output:  # its server keeps it open: no pipe
            done = subprocess.run(
                [self._pg_ctl, "-D", str(self._data), "-w", *arguments],
                cwd=self._data.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
                user=owner.st_uid if root else None,
                group=owner.st_gid if root else None,
                extra_groups=[] if root else None,
            )
        assert done.returncode == 0, (self._data.parent / "pg_ctl.out").read_text()[-2000:]


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    folder = Path(tempfile.mkdtemp())  # not pytest's: PostgreSQL's user must be able to enter it
    services = [sys.executable, str(ROOT / "bin" / "services")]
    try:
        done = subprocess.run(
            [*services, "start", str(folder), "postgres"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        (url,) = [line.partition("=")[2] for line in done.stdout.splitlines() if "TEST_POSTGRES_URL" in line]
        yield PostgresServer(folder, url)
    finally:
        subprocess.run([*services, "stop", str(folder)], check=False)


class Gate:
    """Passes on what client and server say. Shut, it still takes connections, and not a word goes through."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._passes = threading.Event()
        self._passes.set()
        self._open = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def shut(self) -> None:
        self._passes.clear()

    def open(self) -> None:
        self._passes.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                self._open += [client, server]
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while said := source.recv(65536):
                self._passes.wait()
                target.sendall(said)
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._passes.set()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def _until_it_answers(answers: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not answers():
        assert time.monotonic() < end, f"{what} does not answer within {PATIENCE} s"
        time.sleep(0.05)


def database_on(server_url: str, name: str) -> str:
    """The URL of a new database."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()
