"""Encryption at rest under the key-encryption keys, and the keyed digest that finds a license by its key.

Fernet (AES-128-CBC and HMAC-SHA256) under the first of `settings.KEY_ENCRYPTION_KEYS`; the others still decrypt, so
that the keys can be rotated. Each use has its own derived key, so that one kind of secret cannot be put in place of
another.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from activations.models import PortalSecret


class VaultError(Exception):
    """A stored secret does not open with the key-encryption keys that were given."""


def encrypt(plain: bytes, *, use: str) -> bytes:
    return _fernet(use, tuple(settings.KEY_ENCRYPTION_KEYS)).encrypt(plain)


def decrypt(token: bytes, *, use: str) -> bytes:
    """Raises VaultError when no given key opens it."""
    try:
        return _fernet(use, tuple(settings.KEY_ENCRYPTION_KEYS)).decrypt(bytes(token))
    except InvalidToken:
        raise VaultError(
            "A stored secret does not open: KEY_ENCRYPTION_KEY is not the one it was stored under. "
            "Put the earlier key back, after the new one and a comma."
        ) from None


def key_digest(lookup_id: bytes) -> str:
    """HMAC-SHA256 (hex) of a License Key's lookup id: finds the license, tells a stolen table nothing."""
    return hmac.new(_digest_secret(), lookup_id, "sha256").hexdigest()


def _digest_secret() -> bytes:
    # get_or_create, not a cache across processes: the row is made once and read by primary key afterwards.
    row = PortalSecret.objects.filter(name="key-digest").first()
    if row is None:
        value = encrypt(secrets.token_bytes(32), use="portal-secret")
        row, _ = PortalSecret.objects.get_or_create(name="key-digest", defaults={"value_encrypted": value})
    return decrypt(bytes(row.value_encrypted), use="portal-secret")


@lru_cache(maxsize=32)
def _fernet(use: str, keys: tuple[bytes, ...]) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_derived(use, key))) for key in keys])


def _derived(use: str, key: bytes) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=f"licensing-portal/{use}".encode()).derive(key)
