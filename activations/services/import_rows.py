"""The rows of an import, one resource for customers and one for licenses: how a cell is read, what a row does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models.functions import Lower
from import_export.fields import Field
from import_export.instance_loaders import BaseInstanceLoader
from import_export.resources import Resource
from import_export.widgets import Widget

from activations.domain.words import Actor
from activations.models import Contact, Customer, Feature
from activations.services.license_rules import (
    EARLIEST_DAY,
    LATEST_DAY,
    all_expired,
    bad_contact,
    bad_customer,
    bad_versions,
    expiry_warnings,
)
from activations.services.licenses import DEFAULT_PRODUCT, MOST_ALLOWED, FeatureTerm, LicenseCreated, create_license
from activations.services.results import BadInput
from activations.services.secret_text import without_secrets
from activations.services.table_files import Table

CUSTOMER, CONTACT, EMAIL = "customer", "contact name", "email"
ALLOWED, LOW, HIGH = "allowed", "lowest version", "highest version"
ROW = "#row"  # the column in which a row's own number travels through the library
GRANTED, NOT_GRANTED = ("yes", "x", "true"), ("", "no", "false", "-")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MANY = 500  # values of one query: databases have a bound


@dataclass
class PlannedRow:
    """A row on its way: the values of its cells, what it does, and the license that it made."""

    values: dict[str, Any] = field(default_factory=dict)
    does: str = ""
    warnings: list[str] = field(default_factory=list)
    made: LicenseCreated | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return str(self.values.get(CUSTOMER, ""))


class Read(Widget):  # type: ignore[misc]
    """A cell, read by a function that raises ValueError with a sentence for whoever wrote it."""

    def __init__(self, read: Callable[[str], Any]) -> None:
        super().__init__()
        self.read = read

    def clean(self, value: str, row: Any = None, **kwargs: Any) -> Any:
        return self.read(value or "")


class Cell(Field):  # type: ignore[misc]
    """A column; its value goes into the row's values, an empty one too."""

    def __init__(self, column: str, read: Callable[[str], Any]) -> None:
        super().__init__(attribute=column, column_name=column, widget=Read(read))

    def save(self, instance: PlannedRow, row: Any, is_m2m: bool = False, **kwargs: Any) -> None:
        instance.values[self.column_name] = self.clean(row, **kwargs)


class Rows(Resource):  # type: ignore[misc]
    """What both kinds of rows share. `judge` says what a row does and what is wrong with it, `write` does it."""

    required: tuple[str, ...] = (CUSTOMER,)

    class Meta:
        import_id_fields = ()
        force_init_instance = True  # nothing is looked up by the library
        instance_loader_class = BaseInstanceLoader
        skip_diff = True
        store_instance = True

    def __init__(self, table: Table, *, actor: Actor, source: str, writes: bool) -> None:
        super().__init__()
        self.actor, self.source, self.writes = actor, source, writes
        self.texts = {row.number: tuple(row.cells.values()) for row in table.rows}
        self.known = _customers([row.cells.get(CUSTOMER, "") for row in table.rows])
        self.first_row: dict[str, int] = {}
        for cell in self.cells():
            self.fields[cell.column_name] = cell

    def cells(self) -> Iterable[Cell]:
        raise NotImplementedError

    def judge(self, planned: PlannedRow, number: int) -> dict[str, str]:
        """Sets what the row does; answers what is wrong, by column, "__all__" for the row."""
        raise NotImplementedError

    def write(self, planned: PlannedRow) -> None:
        raise NotImplementedError

    def init_instance(self, row: Any = None) -> PlannedRow:
        return PlannedRow()

    def validate_instance(self, instance: PlannedRow, import_validation_errors: Any = None, *_: Any) -> None:
        if import_validation_errors:
            raise ValidationError(import_validation_errors)

    def save_instance(self, instance: PlannedRow, is_create: bool, row: Any, **kwargs: Any) -> None:
        wrong = self.judge(instance, int(row[ROW]))
        if wrong:
            raise ValidationError({column: [message] for column, message in wrong.items()})
        if self.writes:
            self.write(instance)

    def new_customer(self, planned: PlannedRow, number: int) -> str:
        """How the row's customer is told: known, new, or made by an earlier row."""
        name = planned.values[CUSTOMER]
        if name in self.known:
            return ""
        if name in self.first_row:
            return f" (the new customer of row {self.first_row[name]})"
        self.first_row[name] = number
        alike = [known for known in self.known if known.casefold() == name.casefold()]
        if alike:
            planned.warnings.append(f"There is a customer {alike[0]!r} already; this row makes another one.")
        return " (a new customer)"


def _customers(names: Sequence[str]) -> dict[str, int]:
    """The customers of these names, written as they are stored, and those that differ in capital letters only."""
    wanted = {name.lower() for name in names if name}
    known: dict[str, int] = {}
    for part in _parts(sorted(wanted)):
        found = Customer.objects.annotate(lower=Lower("name")).filter(lower__in=part)
        known |= dict(found.values_list("name", "pk"))
    for part in _parts(sorted({name for name in names if name})):
        known |= dict(Customer.objects.filter(name__in=part).values_list("name", "pk"))
    return known


def _parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _MANY):
        yield values[start : start + _MANY]


def _accepted(problem: BadInput | None) -> None:
    if problem:
        raise ValueError(problem.message)


def _customer(text: str) -> str:
    _accepted(bad_customer(text))
    return text.strip()


# --- customers ---------------------------------------------------------------------------------------------


class CustomerRows(Rows):
    """One contact a row; a customer with several contacts has several rows. Nothing is ever taken away."""

    def __init__(self, table: Table, *, actor: Actor, source: str, writes: bool) -> None:
        super().__init__(table, actor=actor, source=source, writes=writes)
        self.contacts: dict[tuple[str, str], tuple[str, str]] = {}  # -> (name, where it is from)
        for part in _parts(sorted(self.known.values())):
            for contact in Contact.objects.filter(customer__in=part).select_related("customer"):
                self.contacts[contact.customer.name, contact.email.casefold()] = (contact.name, "")

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        return (CUSTOMER, CONTACT, EMAIL)

    def cells(self) -> Iterable[Cell]:
        return (Cell(CUSTOMER, _customer), Cell(CONTACT, _contact_name), Cell(EMAIL, _email))

    def judge(self, planned: PlannedRow, number: int) -> dict[str, str]:
        name, email = planned.values.get(CONTACT, ""), planned.values.get(EMAIL, "")
        if name and not email:
            return {EMAIL: "A contact needs an email address: it is whom we mail to."}
        key = (planned.values[CUSTOMER], email.casefold())
        before = self.contacts.get(key)
        if before and before[1] and name and name != before[0]:
            return {CONTACT: f"{before[1]} gives this contact another name. Keep one of the two rows."}
        known = planned.values[CUSTOMER] in self.known or planned.values[CUSTOMER] in self.first_row
        customer = self.new_customer(planned, number)
        does = [] if known else ["New customer"]
        if email and before is None:
            does.append(f"new contact {email}{customer if known else ''}")
            self.contacts[key] = (name, f"Row {number}")
        elif before and name and name != before[0]:
            does.append(f"contact {email} is called {name}, not {before[0] or 'nothing'}")
            self.contacts[key] = (name, f"Row {number}")
        words = ", ".join(does)
        planned.does = f"{words[0].upper()}{words[1:]}." if words else ""
        return {}

    def write(self, planned: PlannedRow) -> None:
        customer, _ = Customer.objects.get_or_create(name=planned.values[CUSTOMER])
        email, name = planned.values.get(EMAIL, ""), planned.values.get(CONTACT, "")
        if not email:
            return
        contact = Contact.objects.filter(customer=customer, email__iexact=email).first()
        if contact is None:
            Contact.objects.create(customer=customer, email=email, name=name)
        elif name and contact.name != name:
            contact.name = name
            contact.save(update_fields=["name"])


def _contact_name(text: str) -> str:
    _accepted(bad_contact(text))
    return text.strip()


def _email(text: str) -> str:
    email = text.strip()
    if not email:
        return ""
    _accepted(bad_contact("", email))
    try:
        validate_email(email)
    except ValidationError:
        raise ValueError(f"{email!r} is not an email address. Write one like name@example.com.") from None
    return email


# --- licenses ----------------------------------------------------------------------------------------------


class LicenseRows(Rows):
    """One license a row. A column for each feature: empty for none, a last day, or yes for one that does not end."""

    required = (CUSTOMER, ALLOWED)

    def __init__(self, table: Table, *, actor: Actor, source: str, writes: bool) -> None:
        self.features = _feature_codes()
        self.same: dict[tuple[str, ...], int] = {}
        super().__init__(table, actor=actor, source=source, writes=writes)

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        return (CUSTOMER, ALLOWED, *_feature_codes(), LOW, HIGH)

    def cells(self) -> Iterable[Cell]:
        yield Cell(CUSTOMER, _customer)
        yield Cell(ALLOWED, _allowed)
        for code in self.features:
            yield Cell(code, _feature)
        yield Cell(LOW, _version)
        yield Cell(HIGH, _version)

    def judge(self, planned: PlannedRow, number: int) -> dict[str, str]:
        features, versions = self._terms(planned)
        if not features:
            codes = ", ".join(self.features)
            return {"__all__": f"Grant at least one feature: write yes or a last day in a column of {codes}."}
        problem = all_expired(features)
        if problem:
            return {"__all__": problem.message}
        crossed = bad_versions(versions)
        if crossed:
            return {LOW: crossed.message}
        texts = self.texts[number]
        if texts in self.same:
            planned.warnings.append(f"The same as row {self.same[texts]}: a second license is made.")
        self.same.setdefault(texts, number)
        planned.warnings += expiry_warnings(features)
        words = ", ".join(f"{term.code} until {term.expires}" if term.expires else term.code for term in features)
        allowed = planned.values[ALLOWED]
        chariots = "1 Chariot" if allowed == 1 else f"{allowed:,} Chariots"
        planned.does = f"New license for {chariots}: {words}{self.new_customer(planned, number)}."
        return {}

    def _terms(self, planned: PlannedRow) -> tuple[list[FeatureTerm], tuple[str, str]]:
        granted = [(code, planned.values.get(code, False)) for code in self.features]
        features = [FeatureTerm(code, None if last is True else last) for code, last in granted if last is not False]
        return features, (planned.values.get(LOW, ""), planned.values.get(HIGH, ""))

    def write(self, planned: PlannedRow) -> None:
        features, versions = self._terms(planned)
        result = create_license(
            customer=planned.values[CUSTOMER],
            allowed=planned.values[ALLOWED],
            features=features,
            versions=versions,
            actor=self.actor,
            source=self.source,
        )
        if not isinstance(result, LicenseCreated):
            raise ValidationError({"__all__": [result.message]})
        planned.made = result


def _feature_codes() -> tuple[str, ...]:
    codes = Feature.objects.filter(product__code=DEFAULT_PRODUCT).order_by("code").values_list("code", flat=True)
    return tuple(codes)


def _allowed(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MOST_ALLOWED or len(text) > 9:
        raise ValueError(f"Allowed activations are a whole number between 1 and {MOST_ALLOWED}.")
    return int(text)


def _feature(text: str) -> date | bool:
    """The last day; True for a feature that does not end, False for one that is not granted."""
    word = text.strip().casefold()
    if word in GRANTED or word in NOT_GRANTED:
        return word in GRANTED
    try:
        last = date.fromisoformat(word) if DAY.fullmatch(word) else None
    except ValueError:
        last = None
    if last is None or not EARLIEST_DAY <= last <= LATEST_DAY:
        raise ValueError(
            f"{without_secrets(text)!r} is no last day between {EARLIEST_DAY} and {LATEST_DAY}. Write one "
            "like 2027-12-31, yes for a feature that does not end, or leave the cell empty."
        )
    return last


def _version(text: str) -> str:
    _accepted(bad_versions((text.strip(), "")))
    return text.strip()
