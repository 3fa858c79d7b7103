"""The vendor roots and the signing keys: made, rotated, kept encrypted, and used only while they are valid."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from chariot_license.protocol.block import Kind
from chariot_license.protocol.certificates import Purpose, check_certificate, serial_hex
from chariot_license.protocol.license import read_license
from chariot_license.protocol.reader import read_block
from cryptography import x509
from django.utils import timezone

from activations.models import KeyPurpose, SigningKey
from activations.services import vault
from activations.services.booking import booking_time
from activations.services.ledger_checks import verify_ledger
from activations.services.licenses import LicenseCreated
from activations.services.list_exports import book_list_export
from activations.services.results import BadInput, Refused
from activations.services.signing import (
    KeyMade,
    NoSigningKey,
    RootRetired,
    create_root,
    issue_key,
    retire_root,
    rotate_key,
    signer,
    trusted_roots,
)
from activations.services.vault import VaultError
from tests.portal.cast import ADMINISTRATOR, EVERYONE, SOURCE, answered, entries, issue, make_keys
from tests.portal.chariot import Chariot, host

LICENSES, CHECKPOINTS = KeyPurpose.USAGE_LICENSE, KeyPurpose.CHECKPOINT


def root(name: str = "Vendor root", actor: object = ADMINISTRATOR) -> Any:
    return create_root(name=name, actor=actor, source=SOURCE)  # type: ignore[arg-type]


def make(purpose: KeyPurpose = LICENSES, name: str = "a key", actor: object = ADMINISTRATOR) -> Any:
    return issue_key(purpose=purpose, name=name, actor=actor, source=SOURCE)  # type: ignore[arg-type]


def rotate(purpose: KeyPurpose = LICENSES, actor: object = ADMINISTRATOR) -> Any:
    return rotate_key(purpose=purpose, name="the next key", actor=actor, source=SOURCE)  # type: ignore[arg-type]


@pytest.mark.django_db
def test_a_root_and_its_keys() -> None:
    assert isinstance(root(), KeyMade)
    purposes: dict[KeyPurpose, Purpose] = {LICENSES: "usage-license", CHECKPOINTS: "checkpoint"}
    made = {purpose: make(purpose) for purpose in purposes}

    now = timezone.now()
    for purpose, name in purposes.items():
        der = signer(purpose, now).certificate
        certificate = check_certificate(der, trusted_roots(), int(now.timestamp()), name)
        assert serial_hex(certificate) == made[purpose].serial == SigningKey.objects.get(purpose=purpose).serial
    assert entries("portal") == [(seq, "administrator", "signing_key.created", "") for seq in (1, 2, 3)]


@pytest.mark.usefixtures("signing_keys")
def test_private_keys_are_stored_encrypted() -> None:
    for row in SigningKey.objects.all():
        stored = bytes(row.private_encrypted or b"")
        private = vault.decrypt(stored, use="signing-key")
        assert len(private) == 32
        assert private not in stored
        assert private.hex().encode() not in stored


def test_rotation_keeps_what_was_signed_valid(license: LicenseCreated) -> None:
    pump = Chariot(license.license_key, host("pump-house"))
    before = answered(pump.request())
    earlier = SigningKey.objects.get(purpose=LICENSES)

    made = rotate()

    assert entries("portal", after=3) == [
        (4, "administrator", "signing_key.retired", ""),
        (5, "administrator", "signing_key.created", ""),
    ]
    earlier.refresh_from_db()
    assert (earlier.current, earlier.retired_at is not None) == (False, True)
    assert SigningKey.objects.get(purpose=LICENSES, current=True).serial == made.serial
    pump.install(before)
    after = pump.request()
    pump.install(answered(after))
    assert earlier.serial != made.serial
    for text in (before, answered(after)):
        read_license(read_block(text, Kind.LICENSE).data, trusted_roots())


def test_a_spare_root_is_pinned_and_a_third_refused(license: LicenseCreated) -> None:
    assert root("Spare root").name == "Spare root"
    third = root("Third root")

    assert (type(third), third.code) == (Refused, "roots-complete")
    names = [certificate.subject.rfc4514_string() for certificate in trusted_roots()]
    assert names == ["CN=Vendor root", "CN=Spare root"]
    pump = Chariot(license.license_key, host("pump-house"))
    pump.install(answered(pump.request()))


def test_a_retired_root_certifies_no_more_and_is_not_offered(license: LicenseCreated) -> None:
    """What it certified goes on until it is rotated; then the other root's certificate is in the answer."""
    first = SigningKey.objects.get(purpose=KeyPurpose.ROOT)
    spare = root("Spare root")
    pump = Chariot(license.license_key, host("pump-house"))
    before = answered(pump.request())
    retire = {"serial": first.serial.upper(), "actor": ADMINISTRATOR, "source": SOURCE, "reason": "its card was lost"}

    retired = retire_root(**retire)  # type: ignore[arg-type]

    assert isinstance(retired, RootRetired)
    assert [name.split(" (")[0] for name in retired.to_rotate] == ["usage-license key", "checkpoint key"]
    assert entries("portal")[-1][1:] == ("administrator", "signing_key.retired", "its card was lost")
    [pinned] = trusted_roots()
    assert serial_hex(pinned) == spare.serial
    old = [x509.load_der_x509_certificate(bytes(first.certificate))]
    read_license(read_block(before, Kind.LICENSE).data, old)
    read_license(read_block(answered(pump.request()), Kind.LICENSE).data, old)
    rotate()
    pump.install(answered(pump.request()))
    for again in (retire_root(**retire), retire_root(**{**retire, "serial": spare.serial})):  # type: ignore[arg-type]
        assert isinstance(again, Refused)
    assert root("Vendor root").code == "name-taken"
    assert isinstance(root("Next spare"), KeyMade)


@pytest.mark.django_db
def test_what_cannot_be_made() -> None:
    assert (type(make()), make().code) == (Refused, "no-root")
    assert (type(root(" ")), root(" ").code) == (BadInput, "name-missing")
    assert root("x" * 65).code == "name-unfit"
    assert root("水" * 22).code == "name-unfit"
    assert root("two\nlines").code == "name-unfit"
    assert "U+202E" in root("Vendor \u202etoor").message
    root("水" * 21)
    assert root("水" * 21).code == "name-taken"
    assert (type(rotate()), rotate().code) == (Refused, "no-key")
    assert make(KeyPurpose.ROOT).code == "purpose-is-root"
    assert make(name="").code == "name-missing"
    assert isinstance(make(name="水" * 21), KeyMade)
    assert (type(make()), make().code) == (Refused, "key-exists")
    assert len(entries("portal")) == 2


@pytest.mark.django_db
@pytest.mark.parametrize("actor", [actor for actor in EVERYONE if actor is not ADMINISTRATOR])
def test_only_an_administrator_makes_keys(actor: object) -> None:
    for result in (root(actor=actor), make(actor=actor), rotate(actor=actor)):
        assert (type(result), result.code) == (Refused, "not-allowed")
    assert not SigningKey.objects.exists()


@pytest.mark.django_db
def test_without_a_key_the_message_says_which_command_makes_one() -> None:
    with pytest.raises(NoSigningKey, match="signing_key issue --purpose usage-license"):
        signer(LICENSES, timezone.now())


@pytest.mark.usefixtures("signing_keys")
@pytest.mark.parametrize("days", [-1, 4 * 365])
def test_a_key_signs_only_within_its_validity(days: int) -> None:
    with pytest.raises(NoSigningKey, match="rotate"):
        signer(LICENSES, timezone.now() + timedelta(days=days))


def test_rotating_an_expired_key_lets_issuing_go_on(license: LicenseCreated) -> None:
    pump = Chariot(license.license_key, host("pump-house"))
    text = pump.request()
    with time_machine.travel(timezone.now() + timedelta(days=4 * 365)):
        with pytest.raises(NoSigningKey):
            issue(text)
        rotate()
        pump.install(answered(text))


@pytest.mark.usefixtures("signing_keys")
def test_the_encryption_key_can_be_rotated(settings: Any) -> None:
    old = settings.KEY_ENCRYPTION_KEYS
    settings.KEY_ENCRYPTION_KEYS = [b"\x01" * 32, *old]
    signer(LICENSES, timezone.now())

    settings.KEY_ENCRYPTION_KEYS = [b"\x01" * 32]
    with pytest.raises(VaultError, match="KEY_ENCRYPTION_KEY"):
        signer(LICENSES, timezone.now())


@pytest.mark.django_db
def test_a_secret_of_one_kind_does_not_open_as_another() -> None:
    make_keys()
    stored = bytes(SigningKey.objects.get(purpose=LICENSES).private_encrypted or b"")

    with pytest.raises(VaultError):
        vault.decrypt(stored, use="license-key")


@pytest.mark.django_db
@pytest.mark.parametrize("ahead", [timedelta(days=2), timedelta(days=400)])
def test_a_clock_that_was_ahead_once_lets_no_certificate_begin_in_the_future(ahead: timedelta) -> None:
    with time_machine.travel(timezone.now() + ahead):
        book_list_export(
            name="licenses",
            filter={},
            format="csv",
            rows=0,
            belongs=None,
            readers=[],
            actor=ADMINISTRATOR,
            source=SOURCE,
        )
    floor = booking_time("portal")
    root()
    make()
    rotated = rotate()

    now = timezone.now()
    assert floor > now + timedelta(days=1)
    for row in SigningKey.objects.all():
        certificate = x509.load_der_x509_certificate(bytes(row.certificate))
        assert now - timedelta(hours=2) < certificate.not_valid_before_utc < now
        assert row.created_at >= floor  # the entries of the ledger are not dated back
    # Chains that the wrong clock did not reach go on at today's time, the others at theirs.
    assert {signer(LICENSES, at).serial for at in (now, floor)} == {rotated.serial}
    assert verify_ledger(rebuild_check=True).problems == ()
    assert [kind for _, _, kind, _ in entries("portal")] == [
        "list.exported",
        "signing_key.created",
        "signing_key.created",
        "signing_key.retired",
        "signing_key.created",
    ]
