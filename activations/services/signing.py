"""The only module that touches a private signing key.

It signs three things, all type-checked: a Usage License, a license statement and a ledger checkpoint. It never signs
bytes it was given.
Private keys are stored encrypted (see `vault`); the certificate of each is issued by a vendor root that the client
pins (Design 4, 9.13).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from chariot_license.protocol.certificates import Purpose, issue_certificate, make_root, serial_hex
from chariot_license.protocol.license import UsageLicense, sign_license
from chariot_license.protocol.statement import StatementClaims, sign_statement
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import transaction
from django.utils import timezone

from activations.domain.checkpoint import Checkpoint, key_hash, note_text
from activations.domain.ledger import Kind
from activations.domain.words import Ability, Actor
from activations.models import KeyPurpose, SigningKey
from activations.services import vault
from activations.services.booking import Book, portal_book
from activations.services.results import BadInput, Refused, bad_name, bad_reason, lacking

ROOT_DAYS = 20 * 365
SIGNING_DAYS = 3 * 365
MOST_NAME = 64  # bytes of a certificate's common name (RFC 5280 appendix A)
CLOCK_LEEWAY = timedelta(hours=1)  # certificates begin earlier, so that a booking right after rotation verifies
_USE = "signing-key"
_CERTIFIED: dict[KeyPurpose, Purpose] = {
    KeyPurpose.USAGE_LICENSE: "usage-license",
    KeyPurpose.CHECKPOINT: "checkpoint",
}


@dataclass(frozen=True)
class KeyMade:
    """A signing key that now exists: its certificate serial (hex) and its certificate as PEM."""

    purpose: str
    name: str
    serial: str
    certificate_pem: str


@dataclass(frozen=True)
class RootRetired:
    """A root that certifies nothing any more; `to_rotate` names the current keys whose certificates are its own."""

    serial: str
    to_rotate: tuple[str, ...]


@dataclass(frozen=True)
class Signer:
    """A signing key that was opened: its certificate serial (hex) goes beside whatever it signs."""

    serial: str
    certificate: bytes
    _private: Ed25519PrivateKey

    def sign_usage_license(self, license: UsageLicense) -> bytes:
        """The COSE_Sign1 bytes of the Usage License, with this key's certificate in it."""
        return sign_license(license, self._private, self.certificate)

    def sign_statement(self, claims: StatementClaims) -> bytes:
        """The COSE_Sign1 bytes of a license statement, with this key's certificate in it."""
        return sign_statement(claims, self._private, self.certificate)

    def sign_checkpoint(self, checkpoint: Checkpoint) -> str:
        """A C2SP signed note: the checkpoint, then one Ed25519 signature line."""
        body = note_text(checkpoint)
        public = self._private.public_key().public_bytes_raw()
        signature = key_hash(checkpoint.origin, public) + self._private.sign(body.encode())
        return f"{body}\n— {checkpoint.origin} {base64.b64encode(signature).decode()}\n"


class NoSigningKey(Exception):
    """There is no current key for the purpose; the message says which command makes one."""


def signer(purpose: KeyPurpose, at: datetime) -> Signer:
    """The current key for a purpose, opened, to sign something that is dated `at`.

    Raises NoSigningKey, or VaultError when the key does not open.
    """
    row = _current(purpose, at)
    return Signer(row.serial, bytes(row.certificate), _open(row))


def current_certificate(purpose: KeyPurpose, at: datetime) -> bytes:
    """The certificate (DER) of the key that `signer` would open; the key stays closed. Raises NoSigningKey."""
    return bytes(_current(purpose, at).certificate)


def _current(purpose: KeyPurpose, at: datetime) -> SigningKey:
    row = SigningKey.objects.filter(purpose=purpose, current=True).order_by("-id").first()
    if row is None or row.private_encrypted is None:
        raise NoSigningKey(
            f"There is no key for {purpose.label!r}: run `manage.py signing_key create-root`, then "
            f"`manage.py signing_key issue --purpose {purpose.value}`."
        )
    certificate = x509.load_der_x509_certificate(bytes(row.certificate))
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        # Every Chariot would refuse what it signs now, and the seat would be taken.
        raise NoSigningKey(
            f"The certificate of {row.name} ({row.serial}) is valid from {certificate.not_valid_before_utc:%Y-%m-%d} "
            f"to {certificate.not_valid_after_utc:%Y-%m-%d}. Check the clock of this machine, or run "
            f"`manage.py signing_key rotate --purpose {purpose.value}`."
        )
    return row


def create_root(*, name: str, actor: Actor, source: str) -> KeyMade | Refused | BadInput:
    """A vendor root. A second one is the spare that the client pins too; a third is refused (Design 9.13)."""
    refused = lacking(actor, [Ability.MANAGE_KEYS])
    if refused:
        return refused
    bad = _bad_name(name)
    if bad:
        return bad
    # The portal chain's lock, which the book takes, keeps the count of roots true.
    with transaction.atomic(), portal_book(actor=actor, source=source) as book:
        roots = list(SigningKey.objects.filter(purpose=KeyPurpose.ROOT))
        if sum(root.current for root in roots) >= 2:
            return Refused(
                "roots-complete", "There are two roots already, one of them the spare; a client pins no more."
            )
        if name in [root.name for root in roots]:  # retired ones too: certificates name their issuer
            return BadInput("name-taken", f"There is a root named {name!r}. Give the spare another name.")
        private = Ed25519PrivateKey.generate()
        serial = _serial()
        begin, end = _begin(book.now), book.now + timedelta(days=ROOT_DAYS)
        certificate = make_root(private, name, serial, _seconds(begin), _seconds(end))
        return _store(KeyPurpose.ROOT, name, private, certificate, book)


def issue_key(*, purpose: KeyPurpose, name: str, actor: Actor, source: str) -> KeyMade | Refused | BadInput:
    """The first signing key for a purpose. Refused while one is current: `rotate_key` replaces it."""
    return _new_key(purpose, name, actor, source, replaces=False)


def rotate_key(*, purpose: KeyPurpose, name: str, actor: Actor, source: str) -> KeyMade | Refused | BadInput:
    """A new signing key in place of the current one. What the earlier one signed stays valid."""
    return _new_key(purpose, name, actor, source, replaces=True)


def retire_root(*, serial: str, actor: Actor, source: str, reason: str) -> RootRetired | Refused | BadInput:
    """A root that certifies no more keys and is no longer offered to clients. Keys it certified sign until rotated.

    Refused for the only root whose key is here: no signing key could be made or rotated after it.
    """
    problem = lacking(actor, [Ability.MANAGE_KEYS]) or bad_reason(reason)
    if problem:
        return problem
    with transaction.atomic(), portal_book(actor=actor, source=source, reason=reason) as book:
        root = SigningKey.objects.filter(purpose=KeyPurpose.ROOT, serial=serial.strip().lower()).first()
        if root is None:
            return BadInput("root-unknown", f"There is no root {serial}. `manage.py signing_key list` shows them.")
        if not root.current:
            return Refused("root-retired", f"{root.name} ({root.serial}) is retired already.")
        others = SigningKey.objects.filter(purpose=KeyPurpose.ROOT, current=True, private_encrypted__isnull=False)
        if not others.exclude(pk=root.pk).exists():
            return Refused("root-last", f"{root.name} is the only root. Make the next one with create-root first.")
        SigningKey.objects.filter(pk=root.pk).update(current=False, retired_at=book.now)
        book.add(Kind.SIGNING_KEY_RETIRED, {"purpose": KeyPurpose.ROOT.value, "serial": root.serial})
    return RootRetired(root.serial, tuple(_certified_by(root)))


def _certified_by(root: SigningKey) -> Iterator[str]:
    subject = x509.load_der_x509_certificate(bytes(root.certificate)).subject
    for row in SigningKey.objects.filter(current=True).exclude(purpose=KeyPurpose.ROOT).order_by("id"):
        if x509.load_der_x509_certificate(bytes(row.certificate)).issuer == subject:
            yield f"{row.name} ({row.serial})"


def _new_key(
    purpose: KeyPurpose, name: str, actor: Actor, source: str, *, replaces: bool
) -> KeyMade | Refused | BadInput:
    refused = lacking(actor, [Ability.MANAGE_KEYS])
    if refused:
        return refused
    if purpose is KeyPurpose.ROOT:
        return BadInput("purpose-is-root", "A root is made with create-root.")
    bad = _bad_name(name)
    if bad:
        return bad
    with transaction.atomic(), portal_book(actor=actor, source=source) as book:
        root = _usable_root()
        current = SigningKey.objects.filter(purpose=purpose, current=True).first()
        problem = _key_problem(root, current, replaces=replaces)
        if root is None or problem:
            return problem or _NO_ROOT
        if current is not None:
            SigningKey.objects.filter(pk=current.pk).update(current=False, retired_at=book.now)
            book.add(Kind.SIGNING_KEY_RETIRED, {"purpose": purpose.value, "serial": current.serial})
        private, certificate = _certified(root, purpose, name, book.now)
        return _store(purpose, name, private, certificate, book)


def _bad_name(name: str) -> BadInput | None:
    if not name.strip():
        return BadInput("name-missing", "Give the key a name, for example the vendor's.")
    unseen = bad_name(name, "The name of the key", "name-unfit")
    if unseen:
        return unseen
    if not name.isprintable() or len(name.encode()) > MOST_NAME:
        return BadInput(
            "name-unfit", f"The name of a key has at most {MOST_NAME} plain letters, all of them printable."
        )
    return None


_NO_ROOT = Refused("no-root", "There is no root whose key is here. Run `manage.py signing_key create-root` first.")


def _key_problem(root: SigningKey | None, current: SigningKey | None, *, replaces: bool) -> Refused | None:
    if root is None:
        return _NO_ROOT
    if current is not None and not replaces:
        return Refused("key-exists", f"{current.name} ({current.serial}) is current. Use rotate to replace it.")
    if current is None and replaces:
        return Refused("no-key", "There is no current key to rotate. Use issue to make the first one.")
    return None


def _certified(
    root: SigningKey, purpose: KeyPurpose, name: str, now: datetime
) -> tuple[Ed25519PrivateKey, x509.Certificate]:
    private = Ed25519PrivateKey.generate()
    root_certificate = x509.load_der_x509_certificate(bytes(root.certificate))
    begin = max(_begin(now), root_certificate.not_valid_before_utc)
    end = min(now + timedelta(days=SIGNING_DAYS), root_certificate.not_valid_after_utc)
    certificate = issue_certificate(
        root_certificate,
        _open(root),
        private.public_key(),
        name,
        _serial(),
        _seconds(begin),
        _seconds(end),
        _CERTIFIED[purpose],
    )
    return private, certificate


def _begin(booked: datetime) -> datetime:
    """When a certificate that is booked at this time begins.

    A clock that was ahead once leaves the portal's chain ahead for good, and other chains where they were: what they
    sign meanwhile is dated today.
    """
    return min(booked, timezone.now()) - CLOCK_LEEWAY


def _store(
    purpose: KeyPurpose, name: str, private: Ed25519PrivateKey, certificate: x509.Certificate, book: Book
) -> KeyMade:
    der = certificate.public_bytes(serialization.Encoding.DER)
    serial = serial_hex(certificate)
    SigningKey.objects.create(
        purpose=purpose,
        name=name,
        serial=serial,
        certificate=der,
        private_encrypted=vault.encrypt(private.private_bytes_raw(), use=_USE),
        not_after=certificate.not_valid_after_utc,
        created_at=book.now,
    )
    book.add(
        Kind.SIGNING_KEY_CREATED,
        {"purpose": purpose.value, "name": name, "serial": serial, "sha256": hashlib.sha256(der).hexdigest()},
    )
    return KeyMade(purpose.value, name, serial, certificate.public_bytes(serialization.Encoding.PEM).decode())


def _usable_root() -> SigningKey | None:
    roots = SigningKey.objects.filter(purpose=KeyPurpose.ROOT, current=True, private_encrypted__isnull=False)
    return roots.order_by("id").first()


def trusted_roots() -> list[x509.Certificate]:
    """The current roots' certificates, oldest first: what a client of this portal pins."""
    rows = SigningKey.objects.filter(purpose=KeyPurpose.ROOT, current=True).order_by("id")
    return [x509.load_der_x509_certificate(bytes(row.certificate)) for row in rows]


def _open(row: SigningKey) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(vault.decrypt(bytes(row.private_encrypted or b""), use=_USE))


def _serial() -> int:
    return int.from_bytes(secrets.token_bytes(16)) >> 1 | 1


def _seconds(time: datetime) -> int:
    return int(time.timestamp())
