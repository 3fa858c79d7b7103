"""A restore by the commands of docs/operations.md, as printed there: nothing that was sent goes out once more."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.mailroom.smtp import Catcher, Mood, catching
from tests.ops.processes import ROOT, environment, manage, python
from tests.system.mailing import wait_until

QUEUE = (
    "from django.db import transaction\n"
    "from activations.services.post.outbox import Letter, queue\n"
    "with transaction.atomic():\n"
    "    queue(Letter('news', 'News', 'Hello.'), to='ada@acme.example', by='agent', conversation=None)\n"
)
SEND = "from activations.tasks import send_mails_job; print(send_mails_job())"
LOOK = "from activations.models import OutgoingMail; print(*OutgoingMail.objects.values_list('state', 'problem').get())"


def printed(heading: str) -> tuple[str, str]:
    """The two blocks of commands under a heading: backing up, and restoring."""
    text = (ROOT / "docs" / "operations.md").read_text()
    section = re.split(r"^#+ ", text.split(f"\n### {heading}\n")[1], flags=re.MULTILINE)[0]
    backup, restore, *_ = re.findall(r"```sh\n(.+?)```", section, flags=re.DOTALL)
    return backup, restore.replace("--actor NAME", "--actor robin")


@dataclass
class Place:
    """A folder in which the commands are run as in the project's own, with a portal of its own under var/."""

    folder: Path
    env: dict[str, str]

    def run(self, commands: str) -> str:
        done = subprocess.run(
            ["bash", "-euc", commands],
            cwd=self.folder,
            env=self.env,
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def does(self, code: str) -> str:
        done = python(code, self.env)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def prepare(self) -> None:
        for command in (
            ("migrate", "--noinput"),
            ("create_staff", "robin", "--role", "administrator"),
            ("signing_key", "create-root"),
            ("signing_key", "issue"),
            ("checkpoint_ledger",),
        ):
            done = manage(*command, env=self.env)
            assert done.returncode == 0, done.stderr


def place_at(folder: Path, smtp: Catcher, **variables: str) -> Place:
    (folder / "manage.py").symlink_to(ROOT / "manage.py")
    env = environment(
        folder / "var",
        EMAIL_URL=smtp.url,
        MAIL_RETRY_AFTER="1,1,1,1,1,1",
        DEFAULT_FROM_EMAIL="Licensing Support <licensing@portal.example>",
        DJANGO_SETTINGS_MODULE="licensing_portal.settings",
        **variables,
    )
    return Place(folder, {**env, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"})


def restored(place: Place, smtp: Catcher, backup: str, restore: str) -> None:
    """A mail waits for the mail server; a backup is made; the mail is sent; the backup is restored."""
    place.prepare()
    smtp.mood = Mood.BUSY
    place.does(QUEUE)
    assert place.does(LOOK).startswith("queued")
    place.run(backup)
    smtp.mood = Mood.TAKES
    wait_until(lambda: place.does(SEND) == "1", "sending", lambda: place.does(LOOK), seconds=60)
    assert len(smtp.mails) == 1

    before, hold, after = restore.partition("python manage.py hold_mails")
    look = f"""python -c "import django; django.setup(); {LOOK}" > before.txt\n"""
    place.run(before + look + hold + after)
    assert (place.folder / "before.txt").read_text().startswith("queued")  # it would go out again


def nothing_goes_twice(place: Place, smtp: Catcher) -> None:
    assert place.does(LOOK) == (
        "unknown Held after a restore: it may have been sent before. Send it again or leave it."
    )
    due = "from activations.models import OutgoingMail as M; from django.utils.timezone import now; "
    wait_until(
        lambda: place.does(f"{due}print(M.objects.filter(next_attempt_at__lte=now()).count())") == "1",
        "the hour of its next attempt",
        lambda: "",
        seconds=60,
    )
    assert place.does(SEND) == "0"
    assert len(smtp.mails) == 1


@pytest.mark.skipif(not shutil.which("sqlite3"), reason="needs the command sqlite3")
def test_a_sqlite_backup_is_restored_and_nothing_goes_twice(tmp_path: Path) -> None:
    with catching() as smtp:
        place = place_at(tmp_path, smtp)
        restored(place, smtp, *printed("SQLite"))
        nothing_goes_twice(place, smtp)


@pytest.mark.skipif(not shutil.which("pg_restore"), reason="needs pg_dump, pg_restore and createdb")
def test_a_postgresql_backup_is_restored_and_nothing_goes_twice(
    postgres_url: str, tmp_path: Path, worker_id: str
) -> None:
    server, new = postgres_url.rsplit("/", 1)[0], f"portal_restored_{worker_id}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for name in (f"to_back_up_{worker_id}", new):
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(f"to_back_up_{worker_id}")))
    with catching() as smtp:
        place = place_at(tmp_path, smtp, DATABASE_URL=f"{server}/to_back_up_{worker_id}")
        backup, restore = printed("PostgreSQL")
        restore = restore.replace("postgres://USER:PASSWORD@HOST:5432/", f"{server}/").replace("portal_restored", new)
        restored(place, smtp, backup, restore)
        place.env["DATABASE_URL"] = f"{server}/{new}"
        nothing_goes_twice(place, smtp)
