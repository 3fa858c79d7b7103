"""Staff accounts, their roles, and the actors they become."""

from __future__ import annotations

from typing import Any

import pytest
from chariot_license.protocol.codes import LicenseKey, format_deactivation_code
from django.contrib.auth.models import AnonymousUser, User

from activations.domain.words import ROLES, Ability
from activations.models import LedgerEntry, StaffEvent
from activations.services.actors import (
    StaffCreated,
    UnknownActor,
    actor_for,
    actor_named,
    change_staff,
    create_staff,
    system_actor,
)
from activations.services.results import BadInput, Refused
from tests.portal.cast import ADMINISTRATOR, EVERYONE, SOURCE, entries

PASSWORD = "seven brass valves"

pytestmark = pytest.mark.django_db


def create(username: str = "robin", role: str = "support-agent", *, actor: object = ADMINISTRATOR, **how: Any) -> Any:
    given = {"password": None, "source": SOURCE, **how}
    return create_staff(username=username, role=role, actor=actor, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("role", ROLES)
def test_an_account_has_the_abilities_of_its_role(role: str) -> None:
    assert create(role=role) == StaffCreated("robin", role)

    assert actor_named("robin").abilities == ROLES[role]
    assert entries("portal") == [(1, "administrator", "staff.created", "")]


def test_with_a_password_one_can_sign_in() -> None:
    create(password=PASSWORD)

    user = User.objects.get()
    assert user.check_password(PASSWORD)
    assert (user.is_staff, user.is_superuser) == (True, False)


def test_without_a_password_one_can_only_be_named() -> None:
    create()

    assert not User.objects.get().has_usable_password()


@pytest.mark.parametrize(
    "email", ["nowhere", "", "a@b", "contact-abcdefgh@pseudonym.invalid", f"{'x' * 250}@acme.example"]
)
def test_an_address_is_one_that_a_mail_can_be_sent_to(email: str) -> None:
    create(username="jo")
    for result in (create(email=email), change_email("jo", email)):
        assert (type(result), result.code) == (BadInput, "email-invalid")
    assert list(User.objects.values_list("username", "email")) == [("jo", "")]


def change_email(username: str, email: str | None, actor: object = ADMINISTRATOR) -> Any:
    return change_staff(username=username, email=email, actor=actor)  # type: ignore[arg-type]


def test_an_address_is_in_no_ledger_and_in_no_trail() -> None:
    """Personal data: what is booked stays for good. The trail says that there is one, and who gave it."""
    create(email="Robin@Portal.Example")
    change_email("robin", "robin@west.example")
    change_email("robin", None, system_actor())

    assert User.objects.get().email == ""
    trail = StaffEvent.objects.filter(subject="robin").order_by("id")
    assert list(trail.values_list("actor", "kind", "subject", "details"))[1:] == [
        ("administrator", "account.changed", "robin", {"email": "set"}),
        ("administrator", "account.changed", "robin", {"email": "changed"}),
        ("command-line", "account.changed", "robin", {"email": "removed"}),
    ]
    assert trail[0].kind == "staff.created"
    kept = str([*LedgerEntry.objects.values_list("body", flat=True), *StaffEvent.objects.values_list()])
    assert "portal.example" not in kept.lower()
    assert "west.example" not in kept


@pytest.mark.parametrize("actor", [actor for actor in EVERYONE if actor is not ADMINISTRATOR])
def test_only_an_administrator_gives_addresses(actor: object) -> None:
    create()
    result = change_email("robin", "robin@portal.example", actor)

    assert (type(result), result.code) == (Refused, "not-allowed")
    assert User.objects.get().email == ""


def test_the_password_is_nowhere_in_the_ledger() -> None:
    create(password=PASSWORD)

    assert PASSWORD not in LedgerEntry.objects.get().body


@pytest.mark.parametrize(
    ("how", "kind", "code"),
    [
        ({"role": "boss"}, BadInput, "role-unknown"),
        ({"username": "no spaces please"}, BadInput, "account-invalid"),
        ({"username": ""}, BadInput, "account-invalid"),
        ({"username": "x" * 151}, BadInput, "account-invalid"),
        ({"password": "short"}, BadInput, "account-invalid"),
        ({"password": "384756102938475"}, BadInput, "account-invalid"),
        ({"actor": system_actor()}, StaffCreated, None),
    ],
)
def test_what_an_account_must_be(how: dict[str, Any], kind: type, code: str | None) -> None:
    result = create(**how)

    assert (type(result), getattr(result, "code", None)) == (kind, code)
    assert User.objects.count() == len(entries("portal")) == (kind is StaffCreated)


def test_no_account_is_called_like_a_secret() -> None:
    key = LicenseKey(b"01234567", b"0123456789abcdef").text
    code = format_deactivation_code(b"0123456789abcdef")
    for secret in (key, key.lower().replace("-", "."), f"robin.{key}", f"{key}@acme.example", code):
        refused = create(username=secret)

        assert (type(refused), refused.code) == (BadInput, "name-unfit")
        assert secret not in refused.message
    assert not User.objects.exists()
    assert entries("portal") == []


def test_a_name_is_given_once() -> None:
    create()

    again = create(role="auditor")

    assert (type(again), again.code) == (Refused, "account-exists")
    assert actor_named("robin").abilities == ROLES["support-agent"]
    assert len(entries("portal")) == 1


@pytest.mark.parametrize("actor", [actor for actor in EVERYONE if actor is not ADMINISTRATOR])
def test_only_an_administrator_makes_accounts(actor: object) -> None:
    result = create(actor=actor)

    assert (type(result), result.code) == (Refused, "not-allowed")
    assert not User.objects.exists()


def test_who_is_no_actor() -> None:
    create()
    User.objects.update(is_active=False)
    User.objects.create(username="customer")

    for name in ("robin", "customer", "nobody"):
        with pytest.raises(UnknownActor, match="create_staff"):
            actor_named(name)
    users: list[User | AnonymousUser] = [*User.objects.all(), AnonymousUser()]
    for user in users:
        assert actor_for(user).abilities == frozenset()


def test_a_superuser_has_every_ability_and_no_more() -> None:
    actor = actor_for(User.objects.create_superuser("root"))

    assert actor.abilities == frozenset(Ability)
