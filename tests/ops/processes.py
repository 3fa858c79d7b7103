"""Runs the portal's own commands as a user does: in a process, configured by its environment alone."""

from __future__ import annotations

import base64
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "SSL_CERT_FILE")


def environment(var: Path, **variables: str) -> dict[str, str]:
    """Nothing of the tests' own settings, the given folder as PORTAL_VAR_DIR, and the given variables."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**kept, "PORTAL_VAR_DIR": str(var), "PYTHONPATH": f"{ROOT}:{ROOT / 'client'}", **variables}


def production(var: Path, **variables: str) -> dict[str, str]:
    """A complete production environment; pass NAME="" to leave one out."""
    given = {
        "PORTAL_PROFILE": "production",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "KEY_ENCRYPTION_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "ALLOWED_HOSTS": "licensing.example.com",
        **variables,
    }
    return environment(var, **{name: value for name, value in given.items() if value})


def python(code: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs code in a Django process that is set up as the portal's."""
    return run([sys.executable, "-c", f"import django; django.setup()\n{code}"], env)


def manage(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "manage.py", *arguments], env)


def run(command: list[str], env: dict[str, str], *, seconds: int = 120) -> subprocess.CompletedProcess[str]:
    env = {"DJANGO_SETTINGS_MODULE": "licensing_portal.settings", **env}
    return subprocess.run(
        command,
        cwd=ROOT,
        env=env,
        check=False,
        capture_output=True,
        text=True,
        timeout=seconds,
        stdin=subprocess.DEVNULL,
    )


@contextmanager
def started(command: list[str], env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process group of its own, gone afterwards with all its children."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, process_group=0
        )
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, number)
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    continue


def until(holds: Callable[[], bool], what: str, log: Path, *, seconds: float = 60) -> None:
    """Waits until it holds; fails with the server's log otherwise."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {seconds} s. The log:\n{log.read_text()}")
        time.sleep(0.2)


def answer(url: str, **headers: str) -> tuple[int, str] | None:
    """Status and body; None when nothing listens yet. Redirects are answers, not followed."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay)
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=10) as reply:  # noqa: S310
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
