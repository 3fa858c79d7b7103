"""Random histories of two licenses and the Chariots of their customers: what must hold after every step.

Customers ask, clone, restore snapshots, deactivate, lose hosts, keep old mails and mail them again; staff answer with
whatever the decision table offers them. Each history runs in a savepoint of the test's transaction. With HISTORIES=500
in the environment more of them are played.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from chariot_license.protocol.block import Kind
from chariot_license.protocol.codes import LicenseKey
from chariot_license.protocol.license import digest16
from chariot_license.protocol.reader import read_block
from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from activations.domain.decisions import Chosen
from activations.domain.estate import line_of
from activations.domain.fold import LicenseState, fold
from activations.domain.ledger import read_body
from activations.domain.words import Actor, Choice, LicenseStatus, Outcome, RestorationState
from activations.models import Activation, LedgerEntry, License, LicenseTerms, Restoration, Seat, Tombstone
from activations.services.as_of import LicensesThen, LicenseThen, estate_json, license_as_of, licenses_as_of
from activations.services.checkpoints import checkpoint_ledger
from activations.services.deactivate import Deactivated, deactivate_activation
from activations.services.issue import Submission, submit_usage_request
from activations.services.ledger_checks import table_state, verify_ledger
from activations.services.licenses import FeatureTerm, LicenseChange, change_license, replace_license_key
from activations.services.losses import approve_restoration, deny_restoration, mark_lost, request_restoration
from activations.services.results import BadInput, Refused
from tests.portal.cast import (
    ADMINISTRATOR,
    AGENT,
    AUDITOR,
    LEAD,
    MANAGER,
    SECOND_LEAD,
    SOURCE,
    length,
    make_license,
    occupied,
)
from tests.portal.chariot import Chariot, host
from tests.portal.history_parts import TRIPS, Mail, Past, Trip

HOSTS = 4  # few, so that Chariots meet on them


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.savepoint()
        self.now = timezone.now() + timedelta(days=1)  # the signing keys are a little older
        self.clock = mock.patch.object(timezone, "now", side_effect=lambda: self.now)
        self.clock.start()
        self.keys = {}
        for customer, allowed in (("Acme Water", 2), ("Beta Mills", 1)):
            made = make_license(customer=customer, allowed=allowed)
            self.keys[made.license_id] = made.license_key
        self.ids = list(self.keys)
        self.chariots = [Chariot(self.keys[self.ids[0]], host("host-0"))]
        self.mails: list[Mail] = []
        self.codes: list[str] = []
        self.snapshots: list[Chariot] = []
        self.running: set[int] = set()  # ids of Chariots with an installed Usage License
        self.checked: dict[str, int] = {}  # length of the chain when it was last folded
        self.states: dict[str, LicenseState] = {}  # what the tables say now
        self.remembered: list[Past] = []
        self.honest = True  # nobody cloned, restored a snapshot, or reported a living host as lost

    def teardown(self) -> None:
        try:
            checked = verify_ledger(rebuild_check=True)
            assert checked.holds, checked.problems
            connection.check_constraints()
            # Where the clock was set back, more was booked at the same time: then that time has another state.
            past = [p for p in self.remembered if LedgerEntry.objects.filter(at__lte=p.at).count() == p.entries]
            for moment in past[:: max(1, len(past) // 6)]:
                self.check_the_past(moment.at, moment.tables)
        finally:
            self.clock.stop()
            transaction.savepoint_rollback(self.savepoint)

    # --- what customers do ------------------------------------------------------------------------------

    def pick(self, things: list[Any], number: int) -> Any:
        return things[number % len(things)]

    def ask(self, chariot: Chariot, license: int | None = None) -> Mail:
        """A Usage Request with the License Key as it is now, of the Chariot's own license or of another one."""
        own = [name for name, key in self.keys.items() if LicenseKey.parse(key).seed == chariot.license_key.seed]
        chariot.use_key(self.keys[own[0] if license is None else self.ids[license]])
        self.mails.append(Mail(chariot, chariot.request()))
        return self.mails[-1]

    def round_trip(self, chariot: Chariot, trip: Trip, license: int | None = None) -> None:
        mail = self.ask(chariot, license)
        self.answer(mail, trip)
        if trip.delivered:
            self.upload(mail)

    def upload(self, mail: Mail) -> None:
        if mail.answer is None:
            return
        try:
            mail.sender.install(mail.answer)
        except AssertionError:
            return  # it answers an earlier request: what the real Chariot says too
        self.running.add(id(mail.sender))

    @rule(license=st.integers(0, 1), on=st.integers(0, HOSTS - 1), container=st.integers(0, 5), trip=TRIPS)
    def install_chariot(self, license: int, on: int, container: int, trip: Trip) -> None:
        facts = host(f"host-{on}", container="docker" if container == 0 else None)
        self.chariots.append(Chariot(self.keys[self.ids[license]], facts))
        self.round_trip(self.chariots[-1], trip)

    @rule(which=st.integers(0, 99), trip=TRIPS)
    def ask_for_an_update(self, which: int, trip: Trip) -> None:
        self.round_trip(self.pick(self.chariots, which), trip)

    @rule(which=st.integers(0, 99), license=st.integers(0, 1), trip=TRIPS)
    def type_in_another_key(self, which: int, license: int, trip: Trip) -> None:
        self.round_trip(self.pick(self.chariots, which), trip, license)

    @rule(which=st.integers(0, 99))
    def make_a_request_and_keep_it(self, which: int) -> None:
        self.ask(self.pick(self.chariots, which))

    @precondition(lambda self: self.mails)
    @rule(which=st.integers(0, 99), trip=TRIPS)
    def mail_an_old_request(self, which: int, trip: Trip) -> None:
        self.answer(self.pick(self.mails, which), trip)

    @precondition(lambda self: self.mails)
    @rule(which=st.integers(0, 99))
    def upload_late(self, which: int) -> None:
        self.upload(self.pick(self.mails, which))

    @rule(which=st.integers(0, 99), booked=st.integers(0, 3))
    def deactivate(self, which: int, booked: int) -> None:
        chariot = self.pick(self.chariots, which)
        self.codes.append(chariot.deactivate())
        self.running.discard(id(chariot))
        if booked:
            for license_id in self.ids:
                self.book_code(self.codes[-1], license_id)

    @rule(
        which=st.integers(0, 99),
        trouble=st.sampled_from(["reinstall", "clone", "snapshot", "restore", "one part", "new board"]),
        to=st.integers(0, HOSTS - 1),
        trip=TRIPS,
    )
    def have_trouble_and_ask(self, which: int, trouble: str, to: int, trip: Trip) -> None:
        chariot = self.pick(self.chariots, which)
        if trouble == "snapshot":
            self.snapshots.append(chariot.snapshot())
            return
        if trouble == "reinstall":
            self.running.discard(id(chariot))
            self.chariots.append(chariot.reinstalled())
        elif trouble in ("clone", "restore"):
            self.honest = False
            source = self.pick(self.snapshots, which) if trouble == "restore" and self.snapshots else chariot
            self.chariots.append(source.clone(host(f"host-{to}") if trouble == "clone" else source.facts))
        else:
            parts = ("disk_serial",) if trouble == "one part" else ("machine_id", "board_uuid", "disk_serial")
            chariot.facts = replace(chariot.facts, **{part: f"{part} number {len(self.mails)}" for part in parts})
            self.chariots.append(chariot)
        self.round_trip(self.chariots[-1], trip)

    # --- what staff do ----------------------------------------------------------------------------------

    def answer(self, mail: Mail, trip: Trip) -> None:
        """Answers a request; while a person must choose, chooses something that is offered."""
        result = self.submit(mail, trip.actor, Chosen())
        taken: frozenset[Choice] = frozenset()
        for number in trip.wanted:
            if not isinstance(result, Submission) or not result.decision.options:
                return
            option = self.pick(list(result.decision.options), number)
            taken = taken | {option.choice}
            result = self.submit(mail, trip.chooser, Chosen(taken, option.activation_id))

    def submit(self, mail: Mail, actor: Actor, chosen: Chosen) -> Submission | Refused | BadInput:
        """A dry run, then the booking of exactly what it showed."""
        who: dict[str, Any] = {"source": mail.text, "actor": actor, "origin": SOURCE, "chosen": chosen}
        shown = submit_usage_request(**who, dry_run=True)
        if not isinstance(shown, Submission):
            booked = submit_usage_request(**who, reason="because")
            assert isinstance(booked, Refused | BadInput), booked
            assert booked.code == shown.code
            return booked
        before = occupied(shown.license_id)
        booked = submit_usage_request(**who, reason="because", expect=shown.digest)
        if isinstance(booked, Refused | BadInput):
            assert booked.code in ("not-allowed", "activation-not-named", "choice-not-open"), booked
            assert occupied(shown.license_id) == before
            return booked
        assert booked.booked
        assert not booked.stale
        assert booked.decision == shown.decision
        assert booked.decision.seats_before == before
        assert booked.decision.seats_after == occupied(shown.license_id)
        if booked.usage_license is None:
            assert booked.decision.outcome in (Outcome.REFUSED, Outcome.PENDING)
        else:
            self.check_answer(mail, booked)
        return booked

    def check_answer(self, mail: Mail, booked: Submission) -> None:
        assert booked.usage_license is not None
        if mail.answer is not None:
            assert booked.usage_license == mail.answer, "a request has one answer"
        mail.answer = booked.usage_license
        again = submit_usage_request(source=mail.text, actor=AGENT, origin=SOURCE)
        assert isinstance(again, Submission)
        assert (again.decision.outcome, again.usage_license) == (Outcome.RESENT, booked.usage_license)
        activation = Activation.objects.get(activation_id=booked.activation_id)
        data = read_block(booked.usage_license, Kind.LICENSE).data
        assert activation.state == "active"
        assert activation.instance.thumbprint == mail.sender.name
        if booked.decision.outcome is Outcome.ISSUED:
            assert activation.usage_license is not None
            assert digest16(bytes(activation.usage_license.payload)) == digest16(data)

    @precondition(lambda self: self.codes)
    @rule(which=st.integers(0, 99), license=st.integers(0, 1))
    def mail_an_old_code(self, which: int, license: int) -> None:
        self.book_code(self.pick(self.codes, which), self.ids[license])

    def book_code(self, code: str, license_id: str) -> None:
        who: dict[str, Any] = {"license_id": license_id, "code": code, "actor": AGENT, "source": SOURCE}
        before = occupied(license_id)
        result = deactivate_activation(**who)
        assert not isinstance(result, BadInput), result
        freed = isinstance(result, Deactivated) and result.effect == "freed"
        assert occupied(license_id) == before - freed
        if isinstance(result, Deactivated):
            again = deactivate_activation(**who)
            assert isinstance(again, Deactivated)
            assert again.effect == "repeated"

    @precondition(lambda self: Activation.objects.filter(state="active").exists())
    @rule(which=st.integers(0, 99), opener=st.sampled_from([None, AGENT, LEAD]), approved=st.booleans())
    def lose_a_host(self, which: int, opener: Actor | None, approved: bool) -> None:
        activation = self.pick(list(Activation.objects.filter(state="active").order_by("id")), which)
        result = mark_lost(activation_id=activation.activation_id, actor=AGENT, source=SOURCE, reason="flooded")
        assert not isinstance(result, Refused | BadInput), result
        if any(c.name == activation.instance.thumbprint and id(c) in self.running for c in self.chariots):
            self.honest = False
        if opener is not None:
            self.open_case(activation, opener)
        if opener is not None and approved:
            self.decide_case(activation.restorations.get(state="requested"), LEAD, approve_restoration)

    def open_case(self, activation: Activation, actor: Actor) -> None:
        free = activation.restorations.filter(state="requested").count() == 0
        result = request_restoration(
            activation_id=activation.activation_id, actor=actor, source=SOURCE, reason="flooded"
        )
        assert isinstance(result, Refused) == (not free), result

    @precondition(lambda self: Activation.objects.filter(state="lost").exists())
    @rule(which=st.integers(0, 99), actor=st.sampled_from([AGENT, LEAD]))
    def ask_for_a_restoration(self, which: int, actor: Actor) -> None:
        self.open_case(self.pick(list(Activation.objects.filter(state="lost").order_by("id")), which), actor)

    @precondition(lambda self: Restoration.objects.exists())
    @rule(
        which=st.integers(0, 99),
        actor=st.sampled_from([LEAD, SECOND_LEAD]),
        decide=st.sampled_from([approve_restoration, approve_restoration, deny_restoration]),
    )
    def decide_a_restoration(self, which: int, actor: Actor, decide: Callable[..., Any]) -> None:
        self.decide_case(self.pick(list(Restoration.objects.order_by("id")), which), actor, decide)

    def decide_case(self, case: Restoration, actor: Actor, decide: Callable[..., Any]) -> None:
        license_id = case.activation.license.license_id
        before = occupied(license_id)
        result = decide(restoration_id=case.restoration_id, actor=actor, source=SOURCE, reason="seen the photos")
        open_to_them = case.state == RestorationState.REQUESTED and case.requested_by != actor.name
        assert isinstance(result, Refused) == (not open_to_them), result
        approved = open_to_them and decide is approve_restoration
        assert occupied(license_id) == before - approved

    @rule(
        license=st.integers(0, 1),
        what=st.sampled_from(["allowed", "allowed", "terms", "status", "transfer", "key"]),
        number=st.integers(1, 5),
    )
    def change_a_license(self, license: int, what: str, number: int) -> None:
        license_id = self.ids[license]
        row = License.objects.get(license_id=license_id)
        if what == "key":
            made = replace_license_key(license_id=license_id, actor=MANAGER, source=SOURCE, reason="leaked")
            assert not isinstance(made, Refused | BadInput)
            self.keys[license_id] = made.license_key
            return
        last = (self.now + timedelta(days=90)).date() if number == 1 else None
        granted = LicenseTerms.objects.get(license=row, revision=row.terms_revision).features
        suspended = {LicenseStatus.ACTIVE: LicenseStatus.SUSPENDED, LicenseStatus.SUSPENDED: LicenseStatus.ACTIVE}
        changes = {
            "allowed": LicenseChange(allowed=number),
            "terms": LicenseChange(features=[FeatureTerm("mqtt-server", last)]),
            "status": LicenseChange(status=suspended.get(LicenseStatus(row.status)) or LicenseStatus.ACTIVE),
            "transfer": LicenseChange(customer="Gamma Ports"),
        }
        if what == "status" and number == 5:
            changes["status"] = LicenseChange(status=LicenseStatus.REVOKED)
        result = change_license(
            license_id=license_id, change=changes[what], actor=MANAGER, source=SOURCE, reason="agreed"
        )
        refused = row.status == LicenseStatus.REVOKED or (what == "allowed" and number < occupied(license_id))
        refused = refused or (what == "transfer" and row.customer.name == "Gamma Ports")
        refused = refused or (what == "allowed" and number == row.allowed)
        refused = refused or (what == "terms" and granted == [FeatureTerm("mqtt-server", last).as_json()])
        assert isinstance(result, Refused) == refused, result
        if what == "transfer" and not isinstance(result, Refused | BadInput):
            assert result.license_key is not None
            self.keys[license_id] = result.license_key

    @rule(hours=st.sampled_from([1, 24, 24 * 60, 24 * 200, -3]))
    def time_passes(self, hours: int) -> None:
        """The portal's clock; now and then it is set back. Then the periodic job makes its checkpoint."""
        self.now += timedelta(hours=hours)
        assert not isinstance(checkpoint_ledger(actor=ADMINISTRATOR), Refused)

    def check_the_past(self, at: datetime, tables: dict[str, LicenseState]) -> None:
        """As of then: each license, each customer and the whole estate are what the tables said then."""
        lines = []
        for license_id, state in tables.items():
            then = license_as_of(license_id=license_id, at=at, actor=AUDITOR)
            assert isinstance(then, LicenseThen), then
            assert then.state.differences(state) == []
            assert then.line == line_of(license_id, state)
            lines.append(then.line)
        for customer in ["", *{line.customer for line in lines}]:
            found = licenses_as_of(at=at, customer=customer, actor=AUDITOR)
            assert isinstance(found, LicensesThen), found
            theirs = [line for line in lines if customer in ("", line.customer)]
            assert found.lines == sorted(theirs, key=lambda line: line.license_id)
            assert estate_json(found.estate) == {
                "licenses": len(theirs),
                "suspended": sum(line.status == LicenseStatus.SUSPENDED for line in theirs),
                "revoked": sum(line.status == LicenseStatus.REVOKED for line in theirs),
                **{name: sum(getattr(line, name) for line in theirs) for name in ("allowed", "active", "lost", "free")},
            }

    # --- what always holds ------------------------------------------------------------------------------

    @invariant()
    def seats_are_never_oversold(self) -> None:
        for license in License.objects.all():
            assert 0 <= occupied(license.license_id) <= license.allowed
            assert Seat.objects.filter(license=license).count() == license.allowed

    @invariant()
    def the_tables_are_what_the_ledger_folds_to(self) -> None:
        changed = False
        for license in License.objects.select_related("customer", "product"):
            if self.checked.get(license.license_id) == length(license.license_id):
                continue
            self.checked[license.license_id], changed = length(license.license_id), True
            self.states[license.license_id] = table_state(license)
            bodies = LedgerEntry.objects.filter(chain=license.license_id).order_by("seq").values_list("body", flat=True)
            assert fold(map(read_body, bodies)).differences(self.states[license.license_id]) == []
        self.now += timedelta(seconds=1)
        if changed:
            latest = LedgerEntry.objects.aggregate(Max("at"))["at__max"]
            self.remembered.append(Past(latest, LedgerEntry.objects.count(), dict(self.states)))

    @invariant()
    def honest_customers_run_no_more_than_they_bought(self) -> None:
        displaced = set(Tombstone.objects.exclude(kind="rebound").values_list("instance__thumbprint", flat=True))
        if any(id(chariot) in self.running and chariot.name in displaced for chariot in self.chariots):
            self.honest = False  # staff were told that it was reinstalled or gone, and it was not
        if self.honest:
            assert len(self.running) <= sum(occupied(license_id) for license_id in self.ids)


@pytest.mark.usefixtures("signing_keys")
def test_random_histories() -> None:
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=int(os.environ.get("HISTORIES", "12")),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
