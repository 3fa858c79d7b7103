"""Production refuses to start half configured; embedded starts from nothing and keeps its secrets."""

from __future__ import annotations

import base64
import secrets
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from licensing_portal import own_secrets
from tests.ops.processes import environment, manage, production, python

SHOW_SECRETS = (
    "from django.conf import settings\n"
    "print(settings.SECRET_KEY, b','.join(settings.KEY_ENCRYPTION_KEYS).hex(), settings.ACCEPT_TEST_REQUESTS)"
)


@pytest.mark.parametrize("name", ["SECRET_KEY", "KEY_ENCRYPTION_KEY", "ALLOWED_HOSTS"])
def test_production_refuses_to_start_without(name: str, tmp_path: Path) -> None:
    done = manage("check", env=production(tmp_path, **{name: ""}))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"PORTAL_PROFILE=production needs {name}:" in line
    assert "Make a value with:" in line or "for example ALLOWED_HOSTS=" in line


def test_production_starts_when_all_are_given_and_takes_no_test_requests(tmp_path: Path) -> None:
    done = python(SHOW_SECRETS, production(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[2] == "False"


def test_production_refuses_to_take_test_requests(tmp_path: Path) -> None:
    done = manage("check", env=production(tmp_path, ACCEPT_TEST_REQUESTS="true"))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("manage.py: ACCEPT_TEST_REQUESTS is on, and a production portal refuses requests that ")
    assert "Unset it" in line
    assert python(SHOW_SECRETS, production(tmp_path, ACCEPT_TEST_REQUESTS="false")).returncode == 0


def test_production_makes_no_secret_of_its_own(tmp_path: Path) -> None:
    manage("check", env=production(tmp_path, KEY_ENCRYPTION_KEY=""))
    assert list(tmp_path.iterdir()) == []


def test_the_commands_that_the_refusals_name_make_good_values() -> None:
    key = subprocess.run(["sh", "-c", own_secrets.MAKE_KEY], check=True, capture_output=True, text=True).stdout
    assert len(own_secrets.parse_keys(key)[0]) == 32
    secret = subprocess.run(["sh", "-c", own_secrets.MAKE_SECRET], check=True, capture_output=True, text=True)
    assert len(secret.stdout.strip()) >= 50


def test_a_profile_nobody_knows_is_refused(tmp_path: Path) -> None:
    done = manage("check", env=environment(tmp_path, PORTAL_PROFILE="prod"))
    assert "PORTAL_PROFILE is 'prod'. Set it to embedded or production." in done.stderr


def test_a_value_may_be_given_as_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("$" + "s" * 60 + "\n")
    done = python(SHOW_SECRETS, production(tmp_path, SECRET_KEY="", SECRET_KEY_FILE=str(secret)))
    assert done.stdout.split()[0] == "$" + "s" * 60


def test_several_key_encryption_keys_keep_their_order(tmp_path: Path) -> None:
    keys = [secrets.token_bytes(32), secrets.token_bytes(32)]
    text = ",".join(base64.urlsafe_b64encode(key).decode().rstrip("=") for key in keys)
    assert own_secrets.parse_keys(text) == keys
    assert own_secrets.parse_keys(base64.b64encode(b"\xfb\xff" * 16).decode()) == [b"\xfb\xff" * 16]


@pytest.mark.parametrize("bad", ["short", "!" * 43, "é" * 43, base64.urlsafe_b64encode(bytes(31)).decode()])
def test_a_bad_key_is_named_by_its_place_and_never_shown(bad: str) -> None:
    good = base64.urlsafe_b64encode(bytes(32)).decode()
    with pytest.raises(ImproperlyConfigured) as refused:
        own_secrets.parse_keys(f"{good},{bad}")
    assert "KEY_ENCRYPTION_KEY: entry 2 of 2 is not 32 bytes in base64url" in str(refused.value)
    assert bad not in str(refused.value)


@pytest.mark.parametrize("text", ["", " ", ",", " , "])
def test_no_key_at_all_is_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="KEY_ENCRYPTION_KEY is empty"):
        own_secrets.parse_keys(text)


def test_embedded_makes_its_secrets_private_and_keeps_them(tmp_path: Path) -> None:
    var = tmp_path / "deep" / "var"
    first, second = (python(SHOW_SECRETS, environment(var)) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert first.stdout.split()[2] == "True"
    assert stat.S_IMODE(var.stat().st_mode) == 0o700
    for name in ("secret-key", "key-encryption-key"):
        assert stat.S_IMODE((var / name).stat().st_mode) == 0o600
    assert sorted(file.name for file in var.iterdir()) == ["key-encryption-key", "secret-key"]


def test_processes_that_start_at_once_agree_on_the_secrets(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from licensing_portal import own_secrets\n"
        "sys.stdin.read()\n"  # all start at the same moment, when their standard input closes
        f"file = pathlib.Path({str(tmp_path / 'var' / 'secret')!r})\n"
        "print(own_secrets.kept_secret(file, own_secrets.new_secret()))"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=environment(tmp_path), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(8)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    values = {process.communicate(timeout=60)[0] for process in processes}
    assert len(values) == 1
    assert len(values.pop()) > 50
    assert [file.name for file in (tmp_path / "var").iterdir()] == ["secret"]


def test_a_lost_key_is_not_replaced_while_the_database_is_there(tmp_path: Path) -> None:
    (tmp_path / "portal.sqlite3").write_bytes(b"")
    done = manage("check", env=environment(tmp_path))
    assert "key-encryption-key is missing, but" in done.stderr
    assert "Put the file back from your backup" in done.stderr.replace("\n", " ")
    assert not (tmp_path / "key-encryption-key").exists()


def test_an_empty_secret_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret-key").write_text("")
    assert "secret-key is empty" in manage("check", env=environment(tmp_path)).stderr


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    done = manage("check", env=environment(tmp_path / "file" / "var"))
    assert "Point PORTAL_VAR_DIR at a folder that you may write" in done.stderr


def test_a_secret_that_others_can_read_is_an_error_of_the_system_check(tmp_path: Path) -> None:
    env = environment(tmp_path)
    assert manage("check", env=env).returncode == 0
    (tmp_path / "key-encryption-key").chmod(0o644)
    done = manage("check", env=env)
    assert done.returncode == 1
    assert "portal.E002" in done.stderr
    assert f"chmod 600 {tmp_path / 'key-encryption-key'}" in done.stderr
