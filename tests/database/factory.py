"""A small world of rows that break no rule, made without the services: what the raw SQL of these tests attacks.

Rows are named by what they are: LIC-A is the license under attack, ACT-ACTIVE its active activation, and so on.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import connection

from activations import models as m
from activations.domain.ledger import GENESIS, Entry, Kind
from activations.models.rules import Event
from activations.services.booking import iso
from tests.support import without_triggers

AT = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)  # no microseconds: SQLite then stores none
LATER = datetime(2026, 1, 5, 9, 30, 0, 250000, tzinfo=UTC)


def make_world() -> None:
    license_a = make_license("LIC-A", allowed=4)
    license_b = make_license("LIC-B", allowed=2)
    m.LicenseTerms.objects.create(license=license_a, revision=1, features=[], created_at=AT)
    m.RetiredKey.objects.create(license=license_a, key_digest="retired", retired_at=AT)
    seats = [m.Seat.objects.create(license=license_a, number=number) for number in (1, 2, 3, 4)]
    m.Seat.objects.create(license=license_b, number=1)
    m.License.objects.filter(pk=make_license("LIC-REVOKED", allowed=1).pk).update(status="revoked")
    make_keys()

    active = make_activation("ACT-ACTIVE", license_a, "active", seats[0], counter=1)
    other = make_activation("ACT-OTHER", license_a, "active", seats[1], counter=1)
    # lost and back, so that its Instance holds ACT-OTHER too and a second active one would be in the way
    lost = make_activation("ACT-LOST", license_a, "lost", seats[2], counter=2, instance=other.instance)
    restored = make_activation("ACT-RESTORED", license_a, "restored", None, counter=1)
    make_activation("ACT-GONE", license_a, "deactivated", None, counter=1)
    spare = make_request("REQ-SPARE", license_a, active.instance, counter=6)
    make_usage_license("USL-SPARE", spare, active)
    make_request("REQ-PENDING", license_a, active.instance, counter=7)
    make_request("REQ-CLONE", license_a, active.instance, counter=7, in_line=False)
    make_request("REQ-DECLINED", license_a, active.instance, counter=8, state="declined")
    make_request("REQ-B", license_b, active.instance, counter=9)

    denied = make_restoration("RES-DENIED", lost)
    m.Restoration.objects.filter(pk=denied.pk).update(state="denied", decided_by="lead", decided_at=AT)
    make_restoration("RES-OPEN", lost)
    make_restoration("RES-SECOND", other)
    decided = make_restoration("RES-DECIDED", restored)
    m.Restoration.objects.filter(pk=decided.pk).update(state="approved", decided_by="lead", decided_at=AT)
    stone = make_tombstone("TOMB-OPEN", restored)
    make_tombstone("TOMB-SETTLED", restored, settled_at=AT, settled_by="lead")
    m.Sighting.objects.create(tombstone=stone, request=m.UsageRequest.objects.get(request_id="REQ-PENDING"), seen_at=AT)
    m.RevealedCode.objects.create(
        license=license_a,
        instance=active.instance,
        epoch=1,
        commitment="c",
        activation=active,
        revealed_at=AT,
        revealed_by="agent",
    )
    m.ReplyText.objects.create(kind="issued", version=1, body="Hello", written_at=AT, written_by="manager")
    m.Reply.objects.create(kind="issued", text_version=1, body="Hello", written_at=AT, written_by="agent")
    m.Evidence.objects.create(
        restoration=denied,
        name="flood.jpg",
        media_type="image/jpeg",
        content=b"photo",
        size=5,
        sha256="photo",
        added_at=AT,
        added_by="agent",
    )
    make_mails()
    m.IntakeEntry.objects.create(received_at=AT, received_by="agent", text="hello", code="no-block", message="none")

    first, _ = make_chain("LIC-A", AT, LATER)
    make_chain("LIC-B", AT)
    make_erasures()
    m.LedgerLeaf.objects.create(index=0, entry=first)
    m.LedgerCheckpoint.objects.create(size=1, root="r", subtrees=[], note="signed", created_at=LATER)
    m.WitnessReceipt.objects.create(witness="file:///kept", size=1, leaves=1, at=LATER)
    make_tile()


def make_tile() -> None:
    """One full tile, past the guard that wants 256 leaves below it."""
    connection.check_constraints()  # PostgreSQL drops no trigger while foreign keys wait to be checked
    with without_triggers(connection, [Event.INSERT]):
        m.LedgerTile.objects.create(level=0, index=0, hashes=bytes(8192), root=bytes(32))


def make_mails() -> None:
    conversation = m.Conversation.objects.create(token="TOKEN001", created_at=AT, latest_at=AT)
    m.ConversationNote.objects.create(conversation=conversation, text="Call", written_at=AT, written_by="agent")
    for name in ("first", "second"):
        source = m.MailSource.objects.create(sealed=b"sealed", size=6, sha256=name)
        m.IncomingMail.objects.create(
            content_digest=name,
            source=source,
            mailbox="support",
            fetched_at=AT,
            state="read",
            conversation=conversation,
        )
        m.OutgoingMail.objects.create(
            key=name,
            message_id=f"{name}@portal.example",
            conversation=conversation,
            to_address="ada@acme-water.example",
            subject="Re: Activation",
            body="Hello",
            queued_at=AT,
            queued_by="agent",
            next_attempt_at=AT,
        )


def make_erasures() -> None:
    """The portal's chain with an entry that erased the second mail, and what the staff trail says of it."""
    make_chain("portal", AT, kind=Kind.CONTACT_PSEUDONYMISED)
    second = m.MailSource.objects.get(sha256="second").pk
    m.Erasure.objects.create(of_table="mailsource", of_row=second, of_column="sealed", seq=1)
    m.MailSource.objects.filter(pk=second).update(sealed=b"")
    told = m.StaffEvent(
        at=AT, actor="agent", kind="contact.pseudonymised", subject="contact-AAAA", chain="portal", seq=1
    )
    told.save()
    m.StaffEvent.objects.create(at=AT, actor="agent", kind="session.signed_in", subject="agent")


def make_license(license_id: str, *, allowed: int) -> m.License:
    customer, _ = m.Customer.objects.get_or_create(name="Acme Water")
    return m.License.objects.create(
        license_id=license_id,
        customer=customer,
        product=m.Product.objects.get(code="chariot-mqtt-server"),
        allowed=allowed,
        terms_revision=2,
        key_serial=2,
        key_encrypted=b"encrypted",
        key_digest=f"digest of {license_id}",
        created_at=AT,
    )


def make_keys() -> None:
    m.PortalSecret.objects.create(name="key-digest", value_encrypted=b"encrypted")
    for serial, current in (("01", True), ("02", False)):
        m.SigningKey.objects.create(
            purpose="usage-license",
            name=f"key {serial}",
            serial=serial,
            certificate=b"der",
            private_encrypted=b"encrypted",
            current=current,
            not_after=AT,
            created_at=AT,
        )


def make_instance(name: str) -> m.Instance:
    return m.Instance.objects.create(thumbprint=name, public_key=b"public", epoch=2, first_seen=AT)


def make_request(
    request_id: str,
    license: m.License,
    instance: m.Instance,
    *,
    counter: int,
    state: str = "pending",
    in_line: bool = True,
) -> m.UsageRequest:
    return m.UsageRequest.objects.create(
        request_id=request_id,
        license=license,
        instance=instance,
        counter=counter,
        epoch=1,
        in_line=in_line,
        text="text",
        payload=b"payload",
        sha256="sha256",
        commitment="commitment",
        fingerprint={"machine_id": ["aa"]},
        version="2.4.1",
        made_at=AT,
        received_at=AT,
        received_by="agent",
        state=state,
        code="activated",
    )


def make_activation(
    activation_id: str,
    license: m.License,
    state: str,
    seat: m.Seat | None,
    *,
    counter: int,
    instance: m.Instance | None = None,
) -> m.Activation:
    """An activation and the request and Usage License it came from, in the order the services book them."""
    instance = instance or make_instance(f"instance of {activation_id}")
    request = make_request(f"REQ of {activation_id}", license, instance, counter=counter)
    activation = m.Activation.objects.create(
        activation_id=activation_id,
        license=license,
        state=state,
        seat=seat,
        instance=instance,
        fingerprint={"machine_id": ["aa"]},
        commitment="commitment",
        version="2.4.1",
        created_at=AT,
        changed_at=AT,
    )
    usage_license = make_usage_license(f"USL of {activation_id}", request, activation)
    m.Activation.objects.filter(pk=activation.pk).update(usage_license=usage_license)
    m.UsageRequest.objects.filter(pk=request.pk).update(state="answered")
    return activation


def make_usage_license(usage_license_id: str, request: m.UsageRequest, activation: m.Activation) -> m.UsageLicense:
    return m.UsageLicense.objects.create(
        usage_license_id=usage_license_id,
        request=request,
        activation=activation,
        terms_revision=1,
        payload=b"payload",
        text="text",
        sha256="sha256",
        signing_serial="01",
        issued_at=AT,
        issued_by="agent",
    )


def make_restoration(restoration_id: str, activation: m.Activation) -> m.Restoration:
    return m.Restoration.objects.create(
        restoration_id=restoration_id,
        activation=activation,
        state="requested",
        requested_by="agent",
        requested_at=AT,
        reason="flooded",
    )


def make_tombstone(tombstone_id: str, activation: m.Activation, **settled: object) -> m.Tombstone:
    return m.Tombstone.objects.create(
        tombstone_id=tombstone_id,
        license=activation.license,
        kind="restored",
        activation=activation,
        instance=activation.instance,
        fingerprint={},
        commitment="commitment",
        placed_at=AT,
        **settled,
    )


def entry(chain: str, seq: int, at: datetime, prev: str = GENESIS, *, kind: Kind = Kind.LICENSE_CREATED) -> Entry:
    return Entry(
        chain=chain,
        seq=seq,
        at=iso(at),
        actor="agent",
        kind=kind.value,
        reason="bought",
        source="command",
        data={"allowed": 3},
        prev=prev,
    )


def unsaved(entry: Entry, at: datetime) -> m.LedgerEntry:
    names = ("chain", "seq", "actor", "kind", "reason", "source", "prev", "hash", "body")
    return m.LedgerEntry(at=at, **{name: getattr(entry, name) for name in names})


def make_chain(name: str, *times: datetime, kind: Kind = Kind.LICENSE_CREATED) -> list[m.LedgerEntry]:
    """A chain with an entry for each time."""
    m.LedgerChain.objects.create(name=name, head=GENESIS, length=0)
    rows: list[m.LedgerEntry] = []
    for seq, at in enumerate(times, start=1):
        row = unsaved(entry(name, seq, at, rows[-1].hash if rows else GENESIS, kind=kind), at)
        row.save()
        rows.append(row)
        m.LedgerChain.objects.filter(name=name).update(length=seq, head=row.hash, latest_at=at)
    return rows
