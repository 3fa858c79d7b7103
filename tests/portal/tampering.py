"""Every column that can be told wrong, one change each, as somebody with the database would make it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import Model

from activations.models import (
    Activation,
    AutomaticAnswer,
    Conversation,
    ConversationNote,
    Customer,
    Erasure,
    Evidence,
    IncomingMail,
    Instance,
    IntakeEntry,
    LedgerChain,
    LedgerCheckpoint,
    LedgerEntry,
    LedgerLeaf,
    LedgerTile,
    LedgerUncovered,
    License,
    LicenseTerms,
    MailSource,
    OutgoingMail,
    PortalSecret,
    Product,
    Reply,
    ReplyText,
    Restoration,
    RetiredKey,
    RevealedCode,
    Seat,
    Sighting,
    SigningKey,
    StaffEvent,
    Tombstone,
    UsageLicense,
    UsageRequest,
    WitnessReceipt,
)
from activations.models.rules import Event
from tests.portal.cast import AGENT, LEAD, SOURCE
from tests.support import without_triggers

WHO: dict[str, Any] = {"actor": AGENT, "source": SOURCE, "reason": "flooded"}
WHY: dict[str, Any] = {"actor": LEAD, "reason": "the customer says so"}
LATER = datetime(2031, 1, 1, tzinfo=UTC)
EARLIER = datetime(2001, 1, 1, tzinfo=UTC)

NAMES: dict[type[Model], Callable[[Any], str]] = {
    License: lambda row: f"{row.license_id} license",
    LicenseTerms: lambda row: f"{row.license.license_id} terms {row.revision}",
    RetiredKey: lambda row: f"{row.license.license_id} retired keys 1",
    Seat: lambda row: f"{row.license.license_id} seats",
    Instance: lambda row: f"Instance {row.thumbprint}",
    UsageRequest: lambda row: f"requests {row.request_id}",
    Activation: lambda row: f"activations {row.activation_id}",
    UsageLicense: lambda row: f"usage licenses {row.usage_license_id}",
    Restoration: lambda row: f"restorations {row.restoration_id}",
    Evidence: lambda row: f"evidence {row.restoration.restoration_id} {row.sha256}",
    ReplyText: lambda row: f"reply text {row.kind} version {row.version}",
    AutomaticAnswer: lambda row: f"automatic answer {row.outcome} for",
    Tombstone: lambda row: f"tombstones {row.tombstone_id}",
    Sighting: lambda row: f"tombstones {row.tombstone.tombstone_id}",
    RevealedCode: lambda row: f"revealed code {row.license.license_id} {row.activation.activation_id}",
    SigningKey: lambda row: f"signing key {row.serial}",
    LedgerChain: lambda row: f"{row.name} entry",
    LedgerEntry: lambda row: f"{row.chain} entry {row.seq}",
    LedgerLeaf: lambda row: f"leaf {row.index} of the Merkle tree",
    LedgerTile: lambda row: f"tile {row.level}/{row.index} of the Merkle tree",
    LedgerCheckpoint: lambda row: f"checkpoint of size {row.size}",
    Customer: lambda row: "license customer: the ledger says Acme Water",
    Product: lambda row: "license product: the ledger says chariot-mqtt-server",
}


@contextmanager
def unguarded(*events: Event) -> Iterator[None]:
    """Without triggers, inside the transaction of a test: PostgreSQL waits for no foreign keys to be checked."""
    connection.check_constraints()
    with without_triggers(connection, events or tuple(Event)):
        yield
        connection.check_constraints()


def another(model: type[Model], **where: Any) -> Callable[[], Any]:
    return lambda: model._default_manager.filter(**where).order_by("-pk").values_list("pk", flat=True)[0]


def first_usage_license() -> UsageLicense:
    return UsageLicense.objects.filter(activation__hostname="pump-house").order_by("pk")[0]


@dataclass(frozen=True)
class Change:
    """One column of one row gets another value; the row is named, here by `said` if not as in NAMES."""

    model: type[Model]
    column: str
    value: Any
    where: dict[str, Any] = field(default_factory=dict)
    said: str = ""

    @property
    def name(self) -> str:
        return f"{self.model.__name__}.{self.column}"

    def row(self) -> Any:
        return self.model._default_manager.filter(**self.where).order_by("pk")[0]

    def do(self, row: Any) -> None:
        """By SQL, as somebody with the database would."""
        column: Any = self.model._meta.get_field(self.column)
        value = self.value() if callable(self.value) else self.value
        assert getattr(row, column.attname) != value
        with connection.cursor() as cursor:
            cursor.execute(
                f'UPDATE "{self.model._meta.db_table}" SET "{column.column}" = %s '
                f'WHERE "{self.model._meta.pk.column}" = %s',
                [column.get_db_prep_save(value, connection), row.pk],
            )
            assert cursor.rowcount == 1


HEX, ID = "0" * 64, "ZZZ-0000"
ACME = {"license_id__contains": "LIC", "allowed": 6}
OF_ACME = {"license__allowed": 6}
FEATURES = [{"code": "mqtt-server", "expires": "2099-12-31"}]
ANSWERED = {"state": "answered", "hostname": "pump-house"}
RESTORED, FREED = {"kind": "restored"}, {"kind": "displaced"}
MADE = {"retired_at__isnull": True, "purpose": "usage-license"}
ROTATED = {"retired_at__isnull": False}
FOR_ONE = {"customer__isnull": False}
CHAIN = {"chain__contains": "LIC", "seq": 3}
FIRST_TERMS, OTHER_TERMS = {"revision": 1, **OF_ACME}, {"revision": 2, **OF_ACME}
KEPT_HOST = {"state": "active", "hostname": "pump-house"}

CHANGES = [
    Change(Customer, "name", "Gamma Ports", {"name": "Acme Water"}),
    Change(Product, "code", "mqtt-tools"),
    Change(License, "license_id", ID, ACME, said=f"{ID}: the tables have a license"),
    Change(License, "customer", another(Customer, name="Beta Mills"), ACME),
    Change(License, "product", lambda: Product.objects.create(code="tools", name="Tools").pk, ACME),
    Change(License, "status", "suspended", ACME),
    Change(License, "allowed", 9, ACME),
    Change(License, "terms_revision", 1, ACME),
    Change(License, "key_encrypted", b"junk", ACME),
    Change(License, "key_digest", HEX, ACME),
    Change(License, "key_serial", 3, ACME),
    Change(License, "online", True, ACME),
    Change(License, "created_at", LATER, ACME),
    Change(LicenseTerms, "license", another(License, allowed=2), OTHER_TERMS),
    Change(LicenseTerms, "revision", 3, FIRST_TERMS),
    Change(LicenseTerms, "features", FEATURES, FIRST_TERMS),
    Change(LicenseTerms, "version_low", "1.1", FIRST_TERMS),
    Change(LicenseTerms, "version_high", "9.9", FIRST_TERMS),
    Change(LicenseTerms, "created_at", LATER, FIRST_TERMS),
    Change(RetiredKey, "license", another(License, allowed=2)),
    Change(RetiredKey, "key_digest", HEX, said="was made with a License Key that the license never had"),
    Change(RetiredKey, "retired_at", LATER),
    Change(Seat, "license", another(License, allowed=2), {"number": 6}),
    Change(Seat, "number", 7, {"number": 6}),
    Change(Instance, "thumbprint", HEX, said=f"Instance {HEX}: its public_key is that of another Instance"),
    Change(Instance, "public_key", b"\x01" * 32),
    Change(Instance, "epoch", 9),
    Change(Instance, "first_seen", LATER),
    Change(UsageRequest, "request_id", "0" * 32, ANSWERED),
    Change(UsageRequest, "license", another(License, allowed=2), ANSWERED),
    Change(UsageRequest, "instance", another(Instance), {"counter": 2}),
    Change(UsageRequest, "counter", 99, ANSWERED),
    Change(UsageRequest, "epoch", 7, ANSWERED),
    Change(UsageRequest, "in_line", False, ANSWERED),
    Change(UsageRequest, "in_line", True, {"in_line": False}),
    Change(UsageRequest, "text", "CHARIOT USAGE REQUEST", ANSWERED),
    Change(UsageRequest, "payload", b"something else", ANSWERED),
    Change(UsageRequest, "sha256", HEX, ANSWERED),
    Change(UsageRequest, "previous", "0" * 32, ANSWERED),
    Change(UsageRequest, "commitment", HEX, ANSWERED),
    Change(UsageRequest, "fingerprint", {}, ANSWERED),
    Change(UsageRequest, "container", "docker", ANSWERED),
    Change(UsageRequest, "virtual", "kvm", ANSWERED),
    Change(UsageRequest, "hostname", "pump-house-2", ANSWERED),
    Change(UsageRequest, "version", "2.4.2", ANSWERED),
    Change(UsageRequest, "made_at", LATER, ANSWERED),
    Change(UsageRequest, "test", True, ANSWERED),
    Change(UsageRequest, "test", False, {"test": True}),
    Change(UsageRequest, "received_at", LATER, ANSWERED),
    Change(UsageRequest, "received_by", "lead", ANSWERED),
    Change(UsageRequest, "state", "pending", ANSWERED),
    Change(UsageRequest, "code", "rebound", ANSWERED),
    Change(UsageRequest, "refusal", "because", ANSWERED),
    Change(UsageRequest, "refusal", "", {"state": "declined"}),
    Change(Activation, "activation_id", ID, KEPT_HOST),
    Change(Activation, "license", another(License, allowed=2), KEPT_HOST),
    Change(Activation, "state", "lost", KEPT_HOST),
    Change(Activation, "seat", another(Seat, number=6), KEPT_HOST),
    Change(Activation, "instance", another(Instance, activations__hostname="dam"), KEPT_HOST),
    Change(Activation, "fingerprint", {}, KEPT_HOST),
    Change(Activation, "commitment", HEX, KEPT_HOST),
    Change(Activation, "hostname", "pump-house-2", KEPT_HOST),
    Change(Activation, "container", "docker", KEPT_HOST),
    Change(Activation, "version", "2.4.2", KEPT_HOST),
    Change(Activation, "usage_license", lambda: first_usage_license().pk, KEPT_HOST),
    Change(Activation, "created_at", EARLIER, KEPT_HOST),
    Change(Activation, "changed_at", LATER, KEPT_HOST),
    Change(UsageLicense, "usage_license_id", ID),
    Change(UsageLicense, "request", another(UsageRequest, answers__isnull=True)),
    Change(UsageLicense, "activation", another(Activation)),
    Change(UsageLicense, "terms_revision", 2),
    Change(UsageLicense, "supersedes", "USL-0"),
    Change(UsageLicense, "payload", b"something else"),
    Change(UsageLicense, "text", "CHARIOT USAGE LICENSE"),
    Change(UsageLicense, "sha256", HEX),
    Change(UsageLicense, "signing_serial", "5a"),
    Change(UsageLicense, "issued_at", LATER),
    Change(UsageLicense, "issued_by", "lead"),
    Change(Restoration, "restoration_id", ID),
    Change(Restoration, "activation", another(Activation), {"state": "approved"}),
    Change(Restoration, "state", "denied", {"state": "approved"}),
    Change(Restoration, "requested_by", "manager"),
    Change(Restoration, "requested_at", EARLIER),
    Change(Restoration, "reason", "stolen"),
    Change(Restoration, "decided_by", "second-lead", {"state": "approved"}),
    Change(Restoration, "decided_at", LATER, {"state": "approved"}),
    Change(Restoration, "decision_reason", "because", {"state": "approved"}),
    Change(Restoration, "decision_reason", "because", {"state": "requested"}),
    Change(Restoration, "above_quota", True, {"state": "approved"}),
    Change(Evidence, "restoration", another(Restoration, state="approved")),
    Change(Evidence, "name", "other.png"),
    Change(Evidence, "content", b"another photo"),
    Change(Evidence, "size", 7),
    Change(Evidence, "sha256", HEX),
    Change(Evidence, "added_at", LATER),
    Change(Evidence, "added_by", "lead"),
    Change(ReplyText, "kind", "restored"),
    Change(ReplyText, "version", 2),
    Change(ReplyText, "body", "Send us money."),
    Change(ReplyText, "reason", "because"),
    Change(ReplyText, "written_at", LATER),
    Change(ReplyText, "written_by", "lead"),
    Change(Tombstone, "tombstone_id", ID),
    Change(Tombstone, "license", another(License, allowed=2)),
    Change(Tombstone, "kind", "rebound"),
    Change(Tombstone, "activation", another(Activation)),
    Change(Tombstone, "restoration", another(Restoration, state="requested"), RESTORED),
    Change(Tombstone, "instance", another(Instance)),
    Change(Tombstone, "fingerprint", {}),
    Change(Tombstone, "commitment", HEX),
    Change(Tombstone, "placed_at", EARLIER),
    Change(Tombstone, "settled_at", LATER, RESTORED),
    Change(Tombstone, "settled_at", LATER, FREED),
    Change(Tombstone, "settled_by", "lead", RESTORED),
    Change(Sighting, "tombstone", another(Tombstone, kind="displaced")),
    Change(Sighting, "request", another(UsageRequest)),
    Change(Sighting, "seen_at", LATER),
    Change(RevealedCode, "license", another(License, allowed=2)),
    Change(RevealedCode, "instance", another(Instance)),
    Change(RevealedCode, "epoch", 2),
    Change(RevealedCode, "commitment", HEX),
    Change(RevealedCode, "activation", another(Activation)),
    Change(RevealedCode, "revealed_at", LATER),
    Change(RevealedCode, "revealed_by", "lead"),
    Change(AutomaticAnswer, "outcome", "updated", {"customer__isnull": True}),
    Change(AutomaticAnswer, "customer", another(Customer), FOR_ONE),
    Change(AutomaticAnswer, "allowed", True, FOR_ONE),
    Change(AutomaticAnswer, "changed_at", LATER),
    Change(AutomaticAnswer, "changed_by", "lead"),
    Change(SigningKey, "purpose", "usage-license", ROTATED),
    Change(SigningKey, "name", "another", MADE),
    Change(SigningKey, "serial", "5a", MADE),
    Change(SigningKey, "certificate", lambda: bytes(SigningKey.objects.get(purpose="root").certificate), MADE),
    Change(SigningKey, "current", False, MADE),
    Change(SigningKey, "not_after", LATER, MADE),
    Change(SigningKey, "created_at", EARLIER, MADE),
    Change(SigningKey, "retired_at", LATER, MADE),
    Change(SigningKey, "retired_at", LATER, ROTATED),
    Change(LedgerChain, "name", ID, {"name__contains": "LIC"}, said="its chain has no head"),
    Change(LedgerChain, "length", 2, {"name__contains": "LIC", "length__gt": 2}),
    Change(LedgerChain, "head", HEX),
    Change(LedgerChain, "latest_at", LATER),
    Change(LedgerEntry, "chain", ID, CHAIN, said="entry 3 is missing"),
    Change(LedgerEntry, "seq", 9999, CHAIN, said="entry 3 is missing"),
    Change(LedgerEntry, "at", LATER, CHAIN),
    Change(LedgerEntry, "actor", "lead", CHAIN),
    Change(LedgerEntry, "kind", "request.pending", CHAIN),
    Change(LedgerEntry, "reason", "because", CHAIN),
    Change(LedgerEntry, "source", "desk", CHAIN),
    Change(LedgerEntry, "prev", HEX, CHAIN),
    Change(LedgerEntry, "hash", HEX, CHAIN),
    Change(LedgerEntry, "body", "{}", CHAIN),
    Change(LedgerLeaf, "index", 9999, {"index": 3}),
    Change(LedgerLeaf, "entry", another(LedgerEntry, leaf__isnull=True), {"index": 3}),
    Change(LedgerUncovered, "hash", HEX, said="has no leaf, nor the mark by which the next checkpoint would find it"),
    Change(LedgerTile, "level", 7, said="tile 7/0 of the Merkle tree stands over leaves that there are not"),
    Change(LedgerTile, "index", 3, said="tile 0/0 of the Merkle tree is missing"),
    Change(LedgerTile, "hashes", bytes(8192), said="holds another hash than leaf 0 gives, portal entry 1"),
    Change(LedgerTile, "hashes", b"short", said="tile 0/0 of the Merkle tree does not hold 256 hashes"),
    Change(LedgerTile, "root", bytes(32), said="tile 0/0 of the Merkle tree has another root than its hashes give"),
    Change(LedgerCheckpoint, "size", 3, said="of size 3 does not fit"),
    Change(LedgerCheckpoint, "size", 9999, said="of size 9999 covers more entries"),
    Change(LedgerCheckpoint, "root", HEX),
    Change(LedgerCheckpoint, "subtrees", [HEX]),
    Change(LedgerCheckpoint, "note", "junk"),
    Change(LedgerCheckpoint, "created_at", EARLIER),
    Change(LedgerCheckpoint, "created_at", LATER, said="is dated before a checkpoint that does not cover it"),
]

# What no entry, no signed bytes and no key tells; docs/audit.md says so.
UNTOLD = {
    "Customer.created_at", "Product.name", "UsageRequest.received", "SigningKey.private_encrypted",
    "Evidence.media_type",
}  # fmt: skip
# No entry tells of them: what was said by mail is no booking, and what was booked by it stands in its own entries.
MAILS: set[type[Model]] = {Conversation, ConversationNote, IncomingMail, MailSource, OutgoingMail}
# Compared with the ledger in test_staff_trail and in mailroom/test_pseudonymise.
BESIDE: set[type[Model]] = {StaffEvent, Erasure}
# What witnesses have got is checked against what they hold, by sending to them.
UNBOOKED: set[type[Model]] = {IntakeEntry, PortalSecret, Reply, WitnessReceipt, *MAILS, *BESIDE}
