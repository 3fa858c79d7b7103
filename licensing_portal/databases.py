"""How the portal talks to its database: the options that its locking and its durability rest on."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlparse

import environ  # type: ignore[import-untyped]
from django.core.exceptions import ImproperlyConfigured

POSTGRESQL = "django.db.backends.postgresql"
SQLITE = "django.db.backends.sqlite3"

# FULL, not the NORMAL that usually goes with WAL: with NORMAL a power cut can take back the last commits. A Usage
# License that has left the building must have its ledger entry behind it, so each commit is on the disk before it
# is answered. foreign_keys is off in SQLite unless asked for.
SQLITE_START = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON"
SQLITE_BUSY_SECONDS = 20

EXAMPLES = "Give postgres://USER:PASSWORD@HOST:5432/NAME or sqlite:////absolute/path.sqlite3"


def parsed(url: str) -> dict[str, Any]:
    """The database that DATABASE_URL names, for Django. Raises ImproperlyConfigured, and never repeats the address:
    there is a password in it.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or not scheme:
        raise ImproperlyConfigured(f"DATABASE_URL does not begin with the kind of database. {EXAMPLES}")
    if scheme not in environ.Env.DB_SCHEMES:
        raise ImproperlyConfigured(f"DATABASE_URL: {scheme!r} is no kind of database. {EXAMPLES}")
    if scheme == "sqlite" and urlparse(url).netloc not in ("", ":memory:"):
        raise ImproperlyConfigured(f"DATABASE_URL: an SQLite file has no host; the path follows ///. {EXAMPLES}")
    try:
        config: dict[str, Any] = environ.Env.db_url_config(url)
    except (ValueError, KeyError, TypeError, IndexError):
        raise ImproperlyConfigured(f"DATABASE_URL cannot be read: {_wrong(url)}. {EXAMPLES}") from None
    named = config.get("NAME") or "service" in config.get("OPTIONS", {})
    if config.get("ENGINE") == POSTGRESQL and not named:
        raise ImproperlyConfigured(f"DATABASE_URL names no database after the host. {EXAMPLES}")
    return config


def _wrong(url: str) -> str:
    try:
        urlparse(url).port  # noqa: B018 - asked for what it raises
    except ValueError:
        return "its host or port cannot be one; in a password, / is written %2F and @ is %40"
    return "its parts do not fit together"


def with_portal_options(
    config: dict[str, Any], *, lock_seconds: int, statement_seconds: int, idle_seconds: int
) -> dict[str, Any]:
    """Adds the portal's options to a database as `environ` parsed it; what the URL asks for itself wins.

    The seconds bound, on PostgreSQL: waiting for one lock, one statement, and an open transaction in which
    nothing happens (a process that hangs would otherwise keep its license locked). 0 turns a bound off. Raises
    ImproperlyConfigured for any other kind of database.
    """
    options = dict(config.get("OPTIONS", {}))
    config = {"CONN_HEALTH_CHECKS": True, **config}
    if config["ENGINE"] == SQLITE:
        # IMMEDIATE takes the write lock at BEGIN: a transaction that reads first and writes later would
        # otherwise fail with "database is locked" at once, without waiting, when another wrote in between.
        defaults: dict[str, Any] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": SQLITE_BUSY_SECONDS,
            "init_command": SQLITE_START,
        }
    elif config["ENGINE"] == POSTGRESQL:
        # Kept connections rather than a pool: gunicorn's threads and Celery's processes are few and
        # long-lived, so each simply keeps its own, checked before use.
        config.setdefault("CONN_MAX_AGE", 300)
        bounds = {
            "lock_timeout": lock_seconds,
            "statement_timeout": statement_seconds,
            "idle_in_transaction_session_timeout": idle_seconds,
        }
        server_settings = " ".join(f"-c {name}={seconds}s" for name, seconds in bounds.items())
        # Later -c options win, so the URL's own come last.
        options["options"] = f"{server_settings} {options.get('options', '')}".strip()
        defaults = {"connect_timeout": 10, "application_name": "licensing-portal"}
    else:
        raise ImproperlyConfigured(
            f"DATABASE_URL: the ledger is guarded by triggers that exist for PostgreSQL and SQLite only. {EXAMPLES}"
        )
    return {**config, "OPTIONS": {**defaults, **options}}
