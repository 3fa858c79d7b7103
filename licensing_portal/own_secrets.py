"""The portal's two secrets: given by the environment, or made once and kept beside the embedded database."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

KEY_BYTES = 32
MAKE_KEY = "openssl rand -base64 32 | tr '+/' '-_'"
MAKE_SECRET = "openssl rand -base64 48"  # noqa: S105 - how to make one, not one


def new_key() -> str:
    """A key-encryption key as the environment carries it: 32 random bytes in base64url."""
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def new_secret() -> str:
    """A value for SECRET_KEY."""
    return secrets.token_urlsafe(64)


def parse_keys(text: str) -> list[bytes]:
    """Key-encryption keys from base64url, comma separated, the current one first; padding may be missing.

    Raises ImproperlyConfigured, naming the entry that is wrong and never its value.
    """
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    if not entries:
        raise ImproperlyConfigured(f"KEY_ENCRYPTION_KEY is empty. Make a value with: {MAKE_KEY}")
    keys = []
    for number, entry in enumerate(entries, start=1):
        # "+" and "/" too: people make keys with `openssl rand -base64 32`.
        plain = entry.rstrip("=").replace("+", "-").replace("/", "_")
        try:
            key = base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise ImproperlyConfigured(
                f"KEY_ENCRYPTION_KEY: entry {number} of {len(entries)} is not {KEY_BYTES} bytes in base64url. Make a "
                f"value with: {MAKE_KEY}"
            )
        keys.append(key)
    return keys


def kept_secret(file: Path, fresh: str, *, lost_if_exists: Path | None = None) -> str:
    """The secret kept in `file`, or `fresh`, kept there (mode 0600) for the next start.

    Any number of processes may start at once: all return the same value. When `lost_if_exists` is there and
    the secret is not, the secret was lost, and a new one would not open what that file holds: raises
    ImproperlyConfigured.
    """
    own_folder(file.parent)
    # Asked before the secret is read: another process's first start makes the secret before that file.
    belongs_to_data = lost_if_exists is not None and lost_if_exists.exists()
    try:
        return _read(file)
    except FileNotFoundError:
        if belongs_to_data:
            raise ImproperlyConfigured(
                f"{file} is missing, but {lost_if_exists} holds data that was encrypted with it. Put the file "
                f"back from your backup, or give its value as KEY_ENCRYPTION_KEY. To start with nothing, move "
                f"{lost_if_exists} away."
            ) from None
    try:
        return _keep(file, fresh)
    except OSError as error:
        raise ImproperlyConfigured(_not_writable(file, error)) from None


def own_folder(folder: Path) -> None:
    """Makes the folder, mode 0700, unless it is there. Raises ImproperlyConfigured when it cannot."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(_not_writable(folder, error)) from None


def _not_writable(path: Path, error: OSError) -> str:
    return f"{path} cannot be made ({error.strerror}). Point PORTAL_VAR_DIR at a folder that you may write."


def _keep(file: Path, fresh: str) -> str:
    draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(fresh + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        # A link, unlike a rename, fails when the name is taken: the first process to come wins, and the file
        # is never seen half written.
        os.link(draft, file)
    except FileExistsError:
        return _read(file)
    finally:
        draft.unlink()
    _sync_folder(file.parent)
    return fresh


def _read(file: Path) -> str:
    try:
        text = file.read_text(encoding="ascii").strip()
    except PermissionError:
        raise ImproperlyConfigured(f"{file} cannot be read: it belongs to another user of this machine.") from None
    if not text:
        raise ImproperlyConfigured(f"{file} is empty. Put it back from your backup, or remove it to have one made.")
    return text


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
