"""System checks: what would only be noticed on a bad day, said at the start (`manage.py check --deploy`)."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

OLDEST_POSTGRESQL = 15


@register(Tags.database)
def database_keeps_its_promises(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """PostgreSQL only: new enough, and a commit is on disk before it is acknowledged. Runs with `migrate`."""
    found: list[CheckMessage] = []
    for alias in databases or []:
        connection = connections[alias]
        if connection.vendor != "postgresql":
            continue
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version_num")
            version = int(cursor.fetchone()[0]) // 10_000
            cursor.execute(
                "SELECT name, setting FROM pg_settings "
                "WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off' "
                "ORDER BY name"
            )
            off = [name for name, _ in cursor.fetchall()]
        if version < OLDEST_POSTGRESQL:
            found.append(
                Error(
                    f"The PostgreSQL server of database {alias!r} is version {version}.",
                    hint=f"The portal needs PostgreSQL {OLDEST_POSTGRESQL} or newer: upgrade the server.",
                    id="portal.E001",
                )
            )
        if off:
            found.append(
                Warning(
                    f"The PostgreSQL server of database {alias!r} runs with {', '.join(off)} off.",
                    hint="Turn it on: after a power cut, customers could hold licenses that the ledger does not.",
                    id="portal.W001",
                )
            )
    return found


@register(deploy=True)
def production_is_complete(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """What production may do without, but hardly ever should."""
    if not settings.PRODUCTION:
        return []
    missing = [
        (
            connections["default"].vendor != "postgresql",
            "The portal runs in production on SQLite.",
            "One machine and one web process at most. For more, set DATABASE_URL to a PostgreSQL database.",
            "portal.W002",
        ),
        (
            settings.CELERY_TASK_ALWAYS_EAGER,
            "There is no job queue: jobs run inside web requests and periodic jobs do not run.",
            "Set REDIS_URL and start the worker and beat processes of the Procfile.",
            "portal.W003",
        ),
        (
            settings.EMAIL_BACKEND.endswith("filebased.EmailBackend"),
            f"Mail is written to files under {settings.EMAIL_FILE_PATH} and reaches nobody.",
            "Set EMAIL_URL, for example smtp+tls://user:password@mail.example.com:587",
            "portal.W004",
        ),
    ]
    return [Warning(message, hint=hint, id=id) for wrong, message, hint, id in missing if wrong]


@register(Tags.security)
def secrets_are_private(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """The secrets kept in files under VAR_DIR are readable by nobody else."""
    return [
        Error(
            f"{file} can be read by other users of this machine.",
            hint=f"Run: chmod 600 {file}. If others were on the machine, replace the secret.",
            id="portal.E002",
        )
        for file in (Path(settings.VAR_DIR) / "secret-key", Path(settings.VAR_DIR) / "key-encryption-key")
        if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077
    ]
