"""The rebuild check: every column that the ledger tells of is compared, so that none can be changed unnoticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Model

from activations.models import (
    Activation,
    Customer,
    Instance,
    LedgerChain,
    LedgerEntry,
    License,
    LicenseTerms,
    Product,
    Restoration,
    Seat,
    Sighting,
    Tombstone,
    UsageLicense,
    UsageRequest,
    triggers,
)
from activations.models.rules import Event
from activations.services.ledger_checks import table_state, verify_ledger
from activations.services.losses import approve_restoration, mark_lost, request_restoration
from tests.portal.cast import AGENT, LEAD, SOURCE, answered, issue, license_row, make_license
from tests.portal.chariot import Chariot, host
from tests.support import without_triggers

WHO = {"actor": AGENT, "source": SOURCE, "reason": "flooded"}


@pytest.fixture
def eventful(signing_keys: None) -> License:
    """A license with a row of every kind: updated, lost, restored, sighted again, and one case still open."""
    made = make_license(allowed=4)
    pump, mill, kiln = (Chariot(made.license_key, host(name)) for name in ("pump-house", "mill", "kiln"))
    for chariot in (pump, mill, kiln, pump):
        chariot.install(answered(chariot.request()))
    for hostname in ("mill", "kiln"):
        lost = Activation.objects.get(hostname=hostname).activation_id
        mark_lost(activation_id=lost, **WHO)  # type: ignore[arg-type]
        request_restoration(activation_id=lost, **WHO)  # type: ignore[arg-type]
    case = Restoration.objects.get(activation__hostname="mill")
    approve_restoration(restoration_id=case.restoration_id, actor=LEAD, source=SOURCE, reason="seen")
    assert issue(mill.request()).decision.sighted
    return license_row(made.license_id)


def activation(hostname: str = "pump-house") -> Any:
    return Activation.objects.filter(hostname=hostname)


def other(model: type[Model], mine: int | None) -> Any:
    """Another row than `mine`, for a reference that is turned to it."""
    return model._default_manager.exclude(pk=mine).order_by("pk").first()


def turn(model: type[Model], reference: str, target: type[Model]) -> Callable[[], None]:
    """One row refers to another row than it did."""

    def change() -> None:
        row = model._default_manager.order_by("pk").first()
        assert row is not None
        found = other(target, getattr(row, f"{reference}_id"))
        model._default_manager.filter(pk=row.pk).update(**{reference: found})

    return change


def put(model: type[Model], **values: Any) -> Callable[[], None]:
    """One row says something else than it did."""

    def change() -> None:
        row = model._default_manager.order_by("pk").first()
        assert row is not None
        assert all(getattr(row, name) != value for name, value in values.items())
        model._default_manager.filter(pk=row.pk).update(**values)

    return change


def another_product() -> None:
    License.objects.update(product=Product.objects.create(code="mqtt-tools", name="MQTT Tools"))


def another_instance() -> None:
    """That of the kiln, which has made no second request: an Instance counts each number once."""
    kiln = Instance.objects.get(activations__hostname="kiln")
    UsageRequest.objects.filter(hostname="pump-house", counter=2).update(instance=kiln)


def another_request() -> None:
    """A Usage License answers one request, so it is turned to one that has none."""
    free = UsageRequest.objects.exclude(answers__isnull=False).get()
    UsageLicense.objects.filter(pk=UsageLicense.objects.order_by("pk")[0].pk).update(request=free)


def an_earlier_usage_license() -> None:
    first = UsageLicense.objects.filter(activation=activation().get()).order_by("pk")[0]
    activation().update(usage_license=first)


def a_free_seat() -> None:
    held = Activation.objects.filter(seat__isnull=False).values("seat")
    activation().update(seat=Seat.objects.exclude(pk__in=held).order_by("-number")[0])


CHANGES: dict[str, Callable[[], object]] = {
    "license.customer": put(Customer, name="Beta Mills"),
    "license.product": another_product,
    "license.allowed": put(License, allowed=9),
    "license.features": put(LicenseTerms, features=[{"code": "mqtt-server", "expires": "2099-12-31"}]),
    "license.versions": put(LicenseTerms, version_high="9.9"),
    "license.terms_revision": put(License, terms_revision=2),
    "license.status": put(License, status="suspended"),
    "license.key_serial": put(License, key_serial=2),
    "seats": lambda: Seat.objects.filter(number=4).update(number=5),
    "activations.seat": a_free_seat,
    "activations.instance": turn(Activation, "instance", Instance),
    "activations.fingerprint": put(Activation, fingerprint={}),
    "activations.commitment": put(Activation, commitment="0" * 64),
    "activations.hostname": put(Activation, hostname="pump-house-2"),
    "activations.container": put(Activation, container="docker"),
    "activations.state": put(Activation, state="lost"),
    "activations.usage_license_id": an_earlier_usage_license,
    "requests.instance": another_instance,
    "requests.counter": put(UsageRequest, counter=99),
    "requests.epoch": put(UsageRequest, epoch=2),
    "requests.sha256": put(UsageRequest, sha256="0" * 64),
    "requests.state": put(UsageRequest, state="refused"),
    "requests.code": put(UsageRequest, code="updated"),
    "usage_licenses.activation_id": turn(UsageLicense, "activation", Activation),
    "usage_licenses.request_id": another_request,
    "usage_licenses.terms_revision": put(UsageLicense, terms_revision=2),
    "usage_licenses.supersedes": put(UsageLicense, supersedes="USL-0"),
    "usage_licenses.sha256": put(UsageLicense, sha256="0" * 64),
    "restorations.activation_id": turn(Restoration, "activation", Activation),
    "restorations.state": put(Restoration, state="denied"),
    "tombstones.kind": put(Tombstone, kind="rebound"),
    "tombstones.activation_id": turn(Tombstone, "activation", Activation),
    "tombstones.instance": turn(Tombstone, "instance", Instance),
    "tombstones.fingerprint": put(Tombstone, fingerprint={}),
    "tombstones.commitment": put(Tombstone, commitment="0" * 64),
    "tombstones.restoration_id": turn(Tombstone, "restoration", Restoration),
    "tombstones.settled": lambda: Tombstone.objects.update(settled_at="2027-01-01T00:00Z"),
    "tombstones.sightings": lambda: Sighting.objects.all()._raw_delete("default"),
}


def compared(license: License) -> set[str]:
    """Every column that `table_state` tells, as "part.column"; a part without columns by its name alone."""
    names: set[str] = set()
    for part, rows in asdict(table_state(license)).items():
        assert rows, f"the fixture has no {part}"
        if part == "license":
            names |= {f"license.{column}" for column in rows}
        elif isinstance(rows, dict):
            names |= {f"{part}.{column}" for row in rows.values() for column in row}
        else:
            names.add(part)
    return names


@contextmanager
def taken_back() -> Iterator[None]:
    """What is done inside is undone, so that the next change begins from a sound ledger."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def problems() -> list[str]:
    """What the rebuild check finds, apart from the triggers that these tests lift."""
    found = verify_ledger(rebuild_check=True).problems
    return [problem for problem in found if not problem.startswith("trigger ")]


def test_every_column_that_is_compared_has_a_case_here(eventful: License) -> None:
    assert compared(eventful) == set(CHANGES)


def test_a_change_of_any_column_is_named(eventful: License) -> None:
    assert problems() == []
    connection.check_constraints()
    with without_triggers(connection):
        for name, change in CHANGES.items():
            part, _, column = name.partition(".")
            with taken_back():
                change()
                found = [problem for problem in problems() if problem.startswith(f"{eventful.license_id} ")]
            assert any(said.startswith(f"{eventful.license_id} {_where(part, column)}") for said in found), (
                name,
                found,
            )
            if column and part != "license":
                assert any(f"'{column}'" in said for said in found), (name, found)
            assert problems() == [], name


def _where(part: str, column: str) -> str:
    return f"license {column}: " if part == "license" else part.replace("_", " ")


ROWS: dict[str, type[Model]] = {
    "seats": Seat,
    "activations": Activation,
    "requests": UsageRequest,
    "usage licenses": UsageLicense,
    "restorations": Restoration,
    "tombstones": Tombstone,
}


def test_a_row_that_is_taken_out_is_named(eventful: License) -> None:
    connection.check_constraints()
    with without_triggers(connection):
        for label, model in ROWS.items():
            with taken_back():
                row = model._default_manager.order_by("pk").first()
                assert row is not None
                model._default_manager.filter(pk=row.pk)._raw_delete("default")
                found = problems()
            assert any(f"{eventful.license_id} {label}" in said for said in found), (label, found)


def test_a_license_that_only_one_side_knows_is_named(eventful: License) -> None:
    connection.check_constraints()
    with without_triggers(connection):
        with taken_back():
            License.objects.update(license_id="LIC-unknown")
            assert problems() == [
                f"{eventful.license_id}: the ledger tells of a license that the tables do not have",
                "LIC-unknown: the tables have a license that the ledger does not tell of",
            ]
        with taken_back():
            LedgerEntry.objects.filter(chain=eventful.license_id)._raw_delete("default")
            LedgerChain.objects.filter(name=eventful.license_id)._raw_delete("default")
            assert f"{eventful.license_id}: the tables have a license that the ledger does not tell of" in problems()


def test_the_usual_check_does_not_read_the_tables(eventful: License) -> None:
    License.objects.update(status="suspended")

    assert verify_ledger().holds
    assert not verify_ledger(rebuild_check=True).holds


def test_a_missing_trigger_is_named(eventful: License) -> None:
    """Whoever lifts the triggers to change something, and does not put them back, is told of before it is found."""
    connection.check_constraints()
    with without_triggers(connection, [Event.UPDATE]):
        wanted = {f"trigger {name} is missing" for name in triggers.problems(connection)}
        assert "trigger activations_ledgerentry_update_guard is missing" in wanted
        assert set(verify_ledger().problems) == wanted
    assert verify_ledger().holds
