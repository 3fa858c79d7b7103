"""The rebuild check: every column that ledger, bytes or keys tell of is compared, so that none is changed unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Model

from activations.domain.letters import ReplyKind
from activations.domain.words import Ability, Actor, AutomaticOutcome, Choice
from activations.models import (
    Activation,
    AutomaticAnswer,
    Customer,
    Evidence,
    KeyPurpose,
    LedgerChain,
    LedgerEntry,
    LedgerLeaf,
    License,
    LicenseTerms,
    PortalSecret,
    Product,
    ReplyText,
    Restoration,
    RetiredKey,
    RevealedCode,
    Seat,
    Sighting,
    SigningKey,
    Tombstone,
    UsageLicense,
    UsageRequest,
    triggers,
)
from activations.models.guards import GOING, INSERT_ONLY, KEPT
from activations.models.rules import Event
from activations.services.checkpoints import checkpoint_ledger
from activations.services.deactivate import deactivate_activation
from activations.services.evidence import EvidenceAdded, add_evidence
from activations.services.ledger_checks import verify_ledger
from activations.services.licenses import (
    FeatureTerm,
    LicenseChange,
    LicenseCreated,
    change_license,
    replace_license_key,
)
from activations.services.losses import approve_restoration, deny_restoration, mark_lost, request_restoration
from activations.services.post.automatic import allow
from activations.services.replies import TextChanged, change_text, text_in_use
from activations.services.results import BadInput, Refused
from activations.services.signing import rotate_key
from tests.portal.cast import (
    ADMINISTRATOR,
    AGENT,
    LEAD,
    MANAGER,
    SOURCE,
    answered,
    book_many,
    issue,
    make_keys,
    make_license,
)
from tests.portal.chariot import Chariot, host
from tests.portal.tampering import CHANGES, LATER, NAMES, UNBOOKED, UNTOLD, Change
from tests.support import without_triggers

WHO: dict[str, Any] = {"actor": AGENT, "source": SOURCE, "reason": "flooded"}
WHY: dict[str, Any] = {"actor": LEAD, "reason": "the customer says so"}

EDITOR = Actor("editor", frozenset(Ability))
PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452") + bytes(40)


def make_eventful() -> None:
    """A license with rows of every kind, in every state that has columns of its own, and checkpoints on the way."""
    make_keys()
    book_many(260)  # enough for a tile of the ledger's tree
    make_license(customer="Beta Mills")
    made = make_license(allowed=6)
    pump, mill, kiln, weir, dam = (
        Chariot(made.license_key, host(name)) for name in ("pump-house", "mill", "kiln", "weir", "dam")
    )
    for chariot in (pump, mill, kiln, weir, dam, pump):
        chariot.install(answered(chariot.request()))
    change_license(
        license_id=made.license_id,
        change=LicenseChange(features=[FeatureTerm("mqtt-server", LATER.date())], versions=("2.0", "3.9")),
        actor=MANAGER,
        source=SOURCE,
        reason="more was bought",
    )
    checkpoint_ledger(actor=ADMINISTRATOR)
    rotate_key(purpose=KeyPurpose.CHECKPOINT, name="next", actor=ADMINISTRATOR, source=SOURCE)
    _lose_and_restore(made, mill)
    case = Restoration.objects.get(state="requested").restoration_id
    for name, content in (("photo.png", PNG), ("mail.txt", b"It was flooded.")):
        added = add_evidence(restoration_id=case, name=name, content=content, actor=AGENT, source=SOURCE)
        assert isinstance(added, EvidenceAdded), added
    text = text_in_use(ReplyKind.DENIED)
    changed = change_text(
        kind=text.kind, body=f"Hello!\n\n{text.body}", shown=0, actor=EDITOR, source=SOURCE, reason="friendlier"
    )
    assert isinstance(changed, TextChanged), changed
    _let_a_machine_answer()
    _come_from_a_backup(pump)
    answered(weir.reinstalled().request(), Choice.REINSTALLED, reason="a new disk")
    for code in (dam.deactivate(), mill.deactivate()):
        deactivate_activation(license_id=made.license_id, code=code, actor=AGENT, source=SOURCE)
    key = replace_license_key(license_id=made.license_id, actor=MANAGER, source=SOURCE, reason="it leaked")
    assert isinstance(key, LicenseCreated)
    checkpoint_ledger(actor=ADMINISTRATOR)
    answered(Chariot(key.license_key, host("lock-house")).request(test=True))


def _let_a_machine_answer() -> None:
    """Allowed for all, forbidden for one customer; and of another outcome, allowed and taken back."""
    beta = Customer.objects.get(name="Beta Mills").pk
    for outcome, customer, allowed in (
        (AutomaticOutcome.RESENT, None, True),
        (AutomaticOutcome.RESENT, beta, False),
        (AutomaticOutcome.DAMAGED, beta, True),
        (AutomaticOutcome.DAMAGED, beta, None),
    ):
        done = allow(outcome=outcome, customer_pk=customer, allowed=allowed, actor=EDITOR, source=SOURCE)
        assert not isinstance(done, Refused | BadInput), done


def _lose_and_restore(made: LicenseCreated, mill: Chariot) -> None:
    for hostname in ("mill", "kiln"):
        lost = Activation.objects.get(hostname=hostname).activation_id
        mark_lost(activation_id=lost, **WHO)
        request_restoration(activation_id=lost, **WHO)
    case = Restoration.objects.get(activation__hostname="mill")
    approve_restoration(restoration_id=case.restoration_id, source=SOURCE, **WHY)
    lost = Activation.objects.get(hostname="kiln").activation_id
    deny_restoration(restoration_id=Restoration.objects.get(state="requested").restoration_id, source=SOURCE, **WHY)
    request_restoration(activation_id=lost, **WHO)
    sighted = mill.request()
    assert issue(sighted).decision.sighted
    issue(sighted, Choice.REFUSE, actor=LEAD, reason="it was written off")


def _come_from_a_backup(pump: Chariot) -> None:
    """A later request, then two from copies that were made before it: both are out of line, one is accepted.

    One number of the line was never sent, so that nothing but the replay speaks against a request that claims it.
    """
    first, second = pump.snapshot(), pump.snapshot()
    pump.request()
    pump.install(answered(pump.request()))
    issue(first.request())
    answered(second.request(), Choice.RESTORED_BACKUP, **WHY)


@contextmanager
def taken_back() -> Iterator[None]:
    """What is done inside is undone, so that the next change begins from a sound ledger."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextmanager
def tampering() -> Iterator[None]:
    """Without triggers; undone before they come back, because PostgreSQL waits for no foreign keys to be checked."""
    with without_triggers(connection), taken_back():
        yield


@pytest.fixture(scope="module")
def _eventful(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock(), taken_back():
        make_eventful()
        # PostgreSQL changes no table while foreign keys of this very transaction wait to be checked.
        connection.check_constraints()
        yield


@pytest.fixture
def eventful(_eventful: None, db: None) -> Iterator[License]:
    """The rows of `make_eventful`, made once for all tests here; what a test does to them is undone."""
    with taken_back():
        yield License.objects.get(allowed=6)


def problems() -> list[str]:
    """What the check finds, apart from the triggers that these tests lift."""
    found = verify_ledger(rebuild_check=True).problems
    return [problem for problem in found if not problem.startswith("trigger ")]


def test_every_column_has_a_case_here() -> None:
    """A column that is added later is compared, or said to be beyond what can be."""
    others: list[type[Model]] = [*GOING, Customer, Product, AutomaticAnswer]
    models = {*INSERT_ONLY, *KEPT, *others} - UNBOOKED
    keys: dict[type[Model], str] = {LedgerLeaf: "", LedgerChain: ""}  # theirs says something
    columns = {
        f"{model.__name__}.{column.name}"
        for model in models
        for column in model._meta.concrete_fields
        if column.name != keys.get(model, "id")
    }

    assert columns - UNTOLD == {change.name for change in CHANGES}


def test_the_eventful_license_holds(eventful: License) -> None:
    assert problems() == []


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_change_of_any_column_is_named(eventful: License, change: Change) -> None:
    with tampering():
        row = change.row()
        named = change.said or NAMES[change.model](row)
        change.do(row)
        found = problems()

    assert any(named in said for said in found), found


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Seat, "seats: the ledger says"),
        (LicenseTerms, "terms 1: the ledger says"),
        (RetiredKey, "retired keys 1: the ledger says"),
        (Activation, "activations ACT-"),
        (UsageRequest, "requests "),
        (UsageLicense, "usage licenses USL-"),
        (Restoration, "restorations RES-"),
        (Evidence, "evidence RES-"),
        (ReplyText, "reply text denied version 1"),
        (AutomaticAnswer, "automatic answer re-sent for all"),
        (Tombstone, "tombstones TMB-"),
        (Sighting, "tombstones TMB-"),
        (RevealedCode, "revealed code LIC-"),
        (SigningKey, "signing key "),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_row_that_is_taken_out_is_named(eventful: License, model: type[Model], said: str) -> None:
    with tampering():
        row = model._default_manager.order_by("pk")[0]
        model._default_manager.filter(pk=row.pk)._raw_delete("default")
        found = problems()

    assert any(said in problem and "the tables say nothing" in problem for problem in found) or (
        model in (Seat, Sighting) and any(said in problem for problem in found)
    ), found


def test_a_license_that_only_one_side_knows_is_named(eventful: License) -> None:
    with tampering():
        with taken_back():
            License.objects.filter(pk=eventful.pk).update(license_id="LIC-unknown")
            found = problems()
            assert f"{eventful.license_id}: the ledger tells of a license that the tables do not have" in found
            assert "LIC-unknown: the tables have a license that the ledger does not tell of" in found
        LedgerEntry.objects.filter(chain=eventful.license_id)._raw_delete("default")
        LedgerChain.objects.filter(name=eventful.license_id)._raw_delete("default")
        assert f"{eventful.license_id}: the tables have a license that the ledger does not tell of" in problems()


def test_a_machine_that_was_allowed_to_answer_without_a_booking_is_named(eventful: License) -> None:
    with tampering():
        AutomaticAnswer.objects.create(
            outcome=AutomaticOutcome.UPDATED, allowed=True, changed_at=LATER, changed_by="editor"
        )
        [said] = problems()
    assert said.startswith("automatic answer updated for all: the ledger says nothing, the tables say {")


def test_the_usual_check_does_not_read_the_tables(eventful: License) -> None:
    License.objects.filter(pk=eventful.pk).update(status="suspended")

    assert verify_ledger().holds
    assert not verify_ledger(rebuild_check=True).holds


def test_a_missing_trigger_is_named(eventful: License) -> None:
    """Whoever lifts the triggers to change something, and does not put them back, is told of before it is found."""
    with without_triggers(connection, [Event.UPDATE]):
        wanted = {f"trigger {name} is missing" for name in triggers.problems(connection)}
        assert "trigger activations_ledgerentry_update_guard is missing" in wanted
        assert set(verify_ledger().problems) == wanted
    assert verify_ledger().holds


def test_answers_signed_by_a_key_of_ones_own_are_named(eventful: License) -> None:
    """The certificate of the key that signs is put out of the tables: none of its answers holds any more."""
    with tampering():
        SigningKey.objects.filter(purpose=KeyPurpose.ROOT).update(certificate=b"junk")
        found = problems()

    assert any("usage licenses USL-" in said and "no Usage License of this portal" in said for said in found)


def test_without_the_key_encryption_key_it_says_that_nothing_was_checked_by_it(
    eventful: License, settings: Any
) -> None:
    settings.KEY_ENCRYPTION_KEYS = [b"\x07" * 32]

    [said] = problems()
    assert said.startswith("License Keys cannot be checked.")


def test_without_the_secret_of_the_digests_none_is_made(eventful: License) -> None:
    with tampering():
        PortalSecret.objects.all()._raw_delete("default")
        assert problems() == ["the secret behind the digests of License Keys is missing, so no key was checked"]
        assert not PortalSecret.objects.exists()


def test_each_problem_is_told_as_it_is_found(eventful: License) -> None:
    """The first one is told although the reader goes away after it."""
    told: list[str] = []

    def one_line(problem: str) -> None:
        told.append(problem)
        raise BrokenPipeError

    License.objects.filter(pk=eventful.pk).update(status="suspended")
    LicenseTerms.objects.create(license=eventful, revision=7, features=[], created_at=LATER)
    with pytest.raises(BrokenPipeError):
        verify_ledger(rebuild_check=True, report=one_line)

    assert told == [f"{eventful.license_id} license status: the ledger says active, the tables say suspended"]
    assert len(problems()) == 2
