"""Verifying the ledger: it passes a sound one, and names whatever was changed behind the portal's back."""

from __future__ import annotations

import io
import json
import time as clock
from collections.abc import Callable
from datetime import timedelta
from unittest import mock

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from activations.domain.ledger import Kind
from activations.models import (
    Activation,
    Customer,
    LedgerChain,
    LedgerCheckpoint,
    LedgerEntry,
    LedgerLeaf,
    License,
    LicenseTerms,
    Seat,
    UsageLicense,
    UsageRequest,
)
from activations.services.booking import Book, lock_chain, lock_license, portal_book
from activations.services.checkpoints import checkpoint_ledger
from activations.services.ledger_checks import verify_ledger
from activations.services.licenses import LicenseCreated
from activations.services.losses import mark_lost
from activations.services.snapshot import snapshot
from tests.portal.cast import (
    ADMINISTRATOR,
    AGENT,
    SOURCE,
    answered,
    entries,
    length,
    license_row,
    make_keys,
    make_license,
)
from tests.portal.chariot import Chariot, host
from tests.support import without_triggers


@pytest.fixture
def busy(license: LicenseCreated) -> LicenseCreated:
    """A license with an active and a lost activation, a checkpoint over it, and entries after the checkpoint."""
    for name in ("pump-house", "mill"):
        answered(Chariot(license.license_key, host(name)).request())
    checkpoint_ledger(actor=ADMINISTRATOR)
    lost = Activation.objects.get(hostname="mill")
    mark_lost(activation_id=lost.activation_id, actor=AGENT, source=SOURCE, reason="flooded")
    return license


def problems() -> str:
    return "\n".join(verify_ledger(rebuild_check=True).problems)


def test_a_sound_ledger(busy: LicenseCreated) -> None:
    checked = verify_ledger(rebuild_check=True)

    assert checked.holds, checked.problems
    assert (checked.entries, checked.chains, checked.checkpoints) == (LedgerEntry.objects.count(), 2, 1)


def test_an_empty_ledger(db: None) -> None:
    checked = verify_ledger(rebuild_check=True)

    assert (checked.holds, checked.entries, checked.chains) == (True, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_it_reads_a_snapshot_of_its_own() -> None:
    """Not inside a test's transaction, as the command runs it."""
    assert verify_ledger(rebuild_check=True).holds


@pytest.mark.django_db(transaction=True)
def test_a_long_reading_holds_up_no_booking_and_sees_none_of_it() -> None:
    make_keys()
    made, other = make_license(), connection.copy()
    try:
        with snapshot():
            before = length("portal")
            _book_on(other)
            assert length("portal") == before
        assert length("portal") == before + 1
        assert connection.in_atomic_block is False
    finally:
        other.close()
    answered(Chariot(made.license_key, host("pump-house")).request())  # and booking goes on as usual
    assert verify_ledger(rebuild_check=True).holds


def _book_on(other: BaseDatabaseWrapper) -> None:
    """Books something through a connection of its own, as another process would."""
    mine = connections["default"]
    connections["default"] = other
    try:
        with transaction.atomic(), portal_book(actor=ADMINISTRATOR, source=SOURCE) as book:
            book.add(Kind.LEDGER_EXPORTED, {})
    finally:
        connections["default"] = mine


def last_entry() -> LedgerEntry:
    return LedgerEntry.objects.exclude(chain="portal").order_by("-seq")[0]


def change_a_reason() -> None:
    body = last_entry().body.replace("flooded", "stolen")
    LedgerEntry.objects.filter(pk=last_entry().pk).update(body=body)


def change_a_column() -> None:
    LedgerEntry.objects.filter(pk=last_entry().pk).update(actor="lead")


def take_out_an_entry() -> None:
    LedgerEntry.objects.filter(chain=last_entry().chain, seq=3).delete()


def cut_off_the_tail() -> None:
    last_entry().delete()


def forget_a_chain_head() -> None:
    LedgerChain.objects.filter(name=last_entry().chain).delete()


def move_the_head_back() -> None:
    entry = LedgerEntry.objects.get(chain=last_entry().chain, seq=2)
    LedgerChain.objects.filter(name=entry.chain).update(length=2, head=entry.hash)


def sell_a_seat_more() -> None:
    License.objects.update(allowed=3)
    Seat.objects.create(license=License.objects.get(), number=3)


def free_a_seat() -> None:
    Activation.objects.filter(state="lost").update(state="restored", seat=None)


def swap_the_bytes_of_an_answer() -> None:
    answers = UsageLicense.objects.order_by("id")
    answers.filter(pk=answers[0].pk).update(payload=bytes(answers[1].payload), sha256=answers[1].sha256)


def change_the_bytes_alone() -> None:
    UsageLicense.objects.update(payload=b"something else")


def change_the_text_that_is_sent_again() -> None:
    UsageLicense.objects.update(text="CHARIOT USAGE LICENSE")


def change_a_request() -> None:
    UsageRequest.objects.update(payload=b"something else")


def forget_the_terms() -> None:
    License.objects.update(terms_revision=7)


def pay_for_more_features() -> None:
    LicenseTerms.objects.update(features=[{"code": "mqtt-server-support", "expires": None}])


def swap_two_leaves() -> None:
    first, second = LedgerLeaf.objects.filter(entry__chain=last_entry().chain).order_by("index")[:2]
    LedgerLeaf.objects.filter(index=second.index).update(entry=last_entry())
    LedgerLeaf.objects.filter(index=first.index).update(entry=second.entry)
    LedgerLeaf.objects.filter(index=second.index).update(entry=first.entry)


def forget_the_checkpoints() -> None:
    LedgerCheckpoint.objects.all().delete()


def a_fingerprint_that_is_none() -> None:
    """A value that no portal wrote, in a column that the checks compute with."""
    UsageRequest.objects.update(fingerprint="not a fingerprint")


def rename_the_customer() -> None:
    Customer.objects.update(name="Beta Mills")


def change_the_checkpoint() -> None:
    stored = LedgerCheckpoint.objects.get()
    LedgerCheckpoint.objects.update(root="0" * 64, note=stored.note)


def sign_the_checkpoint_again() -> None:
    """By somebody who has the tables and not the key: the body is right, the signature is not."""
    stored = LedgerCheckpoint.objects.get()
    head, _, tail = stored.note.rpartition(" ")
    forged = tail[:20] + ("A" if tail[20] != "A" else "B") + tail[21:]
    LedgerCheckpoint.objects.update(note=f"{head} {forged}")


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        (change_a_reason, "its content or its hash was changed"),
        (change_a_column, "its searchable columns differ from its content"),
        (take_out_an_entry, "entry 3 is missing"),
        (cut_off_the_tail, "is the head of its chain, but the last entry is 7"),
        (forget_a_chain_head, "its chain has no head"),
        (move_the_head_back, "is the head of its chain, but the last entry is 8"),
        (sell_a_seat_more, "license allowed: the ledger says 2, the tables say 3"),
        (free_a_seat, "'state': 'lost'"),
        (swap_the_bytes_of_an_answer, "usage licenses USL-"),
        (change_the_bytes_alone, "by its bytes and"),
        (change_the_text_that_is_sent_again, "with another text"),
        (change_a_request, "requests "),
        (forget_the_terms, "license terms_revision: the ledger says 1, the tables say 7"),
        (pay_for_more_features, "terms 1: the ledger says {'features': "),
        (swap_two_leaves, "stands out of the order of its chain"),
        (forget_the_checkpoints, "leaf 0 of the Merkle tree and those after it are covered by no checkpoint"),
        (a_fingerprint_that_is_none, "requests "),
        (rename_the_customer, "license customer: the ledger says Acme Water, the tables say Beta Mills"),
        (change_the_checkpoint, "does not fit the entries it covers"),
        (sign_the_checkpoint_again, "is not signed by a checkpoint key of this portal"),
    ],
)
def test_what_was_changed_behind_the_back_is_named(busy: LicenseCreated, attack: Callable[[], None], said: str) -> None:
    connection.check_constraints()
    with without_triggers(connection):
        # A leaf or a table that still points at what is taken out would keep the database from taking it out.
        if attack in (take_out_an_entry, cut_off_the_tail):
            LedgerCheckpoint.objects.all().delete()
            LedgerLeaf.objects.all().delete()
        attack()
        connection.check_constraints()

    assert said in problems()


def test_entries_behind_a_checkpoint_cannot_be_rewritten_as_a_whole(busy: LicenseCreated) -> None:
    """Somebody with the database rewrites a whole chain, hashes and head included: the checkpoint still tells."""
    rows = list(LedgerEntry.objects.filter(chain=busy.license_id).order_by("seq"))
    connection.check_constraints()
    with without_triggers(connection):
        prev = "0" * 64
        for row in rows:
            entry = row.body.replace('"agent"', '"lead"')
            body = entry.replace(f'"prev":"{row.prev}"', f'"prev":"{prev}"')
            prev = _rewrite(row, body, prev)
        LedgerChain.objects.filter(name=busy.license_id).update(head=prev)

    found = verify_ledger().problems
    assert [problem for problem in found if "entry" in problem and "checkpoint" not in problem] == []
    assert any("does not fit the entries it covers" in problem for problem in found)


def _rewrite(row: LedgerEntry, body: str, prev: str) -> str:
    from activations.domain.ledger import body_hash, read_body

    actor = read_body(body).actor
    LedgerEntry.objects.filter(pk=row.pk).update(body=body, hash=body_hash(body), prev=prev, actor=actor)
    return body_hash(body)


@pytest.mark.parametrize("junk", ["never", "2026-13-45 00:00:00", ""])
def test_a_license_that_cannot_be_read_is_named_and_the_others_are_compared(busy: LicenseCreated, junk: str) -> None:
    """A time that is none, which only SQLite would store: whoever wrote it hides nothing but what it stands in."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL refuses a time that is none")
    other = make_license(customer="Beta Mills")
    with without_triggers(connection), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE activations_activation SET created_at = %s WHERE license_id = %s",
            [junk, license_row(busy.license_id).pk],
        )
        License.objects.filter(license_id=other.license_id).update(status="suspended")

    assert f"{busy.license_id}: its rows cannot be read" in problems()
    assert f"{other.license_id} license status: the ledger says active" in problems()


def test_the_command_says_each_problem_on_a_line_of_its_own_as_it_is_found(busy: LicenseCreated) -> None:
    """Whoever reads only the first one (`| head -1`) sees it, though the rest is never written."""
    License.objects.update(status="suspended", terms_revision=7)
    heard = io.StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("verify_ledger", "--rebuild-check", stderr=heard)

    lines = heard.getvalue().splitlines()
    assert ended.value.code == 1
    assert lines == [*verify_ledger(rebuild_check=True).problems, "The ledger does not hold: 2 problems."]

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            if self.tell():
                raise BrokenPipeError
            return super().write(text)

    gone = Gone()
    with pytest.raises((BrokenPipeError, SystemExit)):
        call_command("verify_ledger", "--rebuild-check", stderr=gone)
    assert gone.getvalue().splitlines() == lines[:1]


def test_as_json_the_problems_are_a_list(busy: LicenseCreated) -> None:
    License.objects.update(status="suspended")
    said = io.StringIO()

    with pytest.raises(SystemExit):
        call_command("verify_ledger", "--rebuild-check", "--json", stdout=said)

    answer = json.loads(said.getvalue())
    assert answer["problems"] == list(verify_ledger(rebuild_check=True).problems)
    assert answer["message"] == "The ledger does not hold: 1 problem."


# --- booking ----------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_locks_are_refused_outside_a_transaction() -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        lock_license(1)
    with pytest.raises(RuntimeError, match="transaction"):
        lock_chain("portal")


def test_nothing_is_booked_when_the_block_fails(license: LicenseCreated) -> None:
    def fail_halfway() -> None:
        with Book(chain=license.license_id, actor=AGENT, source=SOURCE) as book:
            book.add(Kind.LICENSE_SUSPENDED, {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()

    assert length(license.license_id) == 1


def test_times_never_run_backwards(busy: LicenseCreated) -> None:
    """The machine's clock is set back by an hour: entries carry the time of the one before, or of the checkpoint."""
    back = timezone.now() - timedelta(minutes=30)
    activation = Activation.objects.get(hostname="pump-house")

    with mock.patch.object(timezone, "now", return_value=back):
        mark_lost(activation_id=activation.activation_id, actor=AGENT, source=SOURCE, reason="stolen")

    times = list(LedgerEntry.objects.filter(chain=busy.license_id).order_by("seq").values_list("at", flat=True))
    assert times == sorted(times)
    assert times[-1] >= LedgerCheckpoint.objects.get().created_at
    assert verify_ledger(rebuild_check=True).holds


def test_every_entry_says_what_it_was_booked_from(busy: LicenseCreated) -> None:
    assert [entry[0] for entry in entries(busy.license_id)] == list(range(1, 9))
    sources = set(LedgerEntry.objects.filter(chain=busy.license_id).values_list("source", flat=True))
    requests = UsageRequest.objects.values_list("request_id", flat=True)
    assert sources == {SOURCE, *(f"{SOURCE}:request:{request_id}" for request_id in requests)}


def test_what_it_reads_does_not_grow_with_the_rows(license: LicenseCreated) -> None:
    """A query for each table and batch of licenses, none for each entry or row."""
    for name in ("pump-house", "mill"):
        answered(Chariot(license.license_key, host(name)).request())
    with CaptureQueriesContext(connection) as few:
        assert verify_ledger(rebuild_check=True).holds
    for number in range(12):
        other = make_license(customer=f"Customer {number}")
        answered(Chariot(other.license_key, host(f"host {number}")).request())
    with CaptureQueriesContext(connection) as more:
        assert verify_ledger(rebuild_check=True).holds

    # Each license has a License Key, and asking for its digest reads the secret behind it.
    assert len(more) - len(few) <= 12


def test_a_thousand_entries_are_verified_within_seconds(license: LicenseCreated) -> None:
    with transaction.atomic():
        license_row(license.license_id)
        with Book(chain=license.license_id, actor=AGENT, source=SOURCE) as book:
            for _ in range(1000):
                book.add(Kind.USAGE_LICENSE_RESENT, {"usage_license_id": "USL", "request_id": "0"})
    began = clock.monotonic()

    assert verify_ledger(rebuild_check=True).holds
    assert clock.monotonic() - began < 10
