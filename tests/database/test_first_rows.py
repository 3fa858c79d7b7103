"""The roles and the catalog: there after a migrate, after a flush, and as this version says."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User

from activations.domain.words import ROLES
from activations.models import Feature, Product, first_rows
from tests.support import flush

pytestmark = pytest.mark.django_db
OFFERED = [
    ("iot-bridge-snowflake", "metered"),
    ("mqtt-server", "one-time"),
    ("mqtt-server-support", "yearly"),
]


def roles() -> dict[str, set[str]]:
    return {group.name: set(group.permissions.values_list("codename", flat=True)) for group in Group.objects.all()}


def ensure() -> None:
    first_rows.ensure(apps.get_app_config("activations"), using="default")


def test_each_role_holds_its_abilities_and_nothing_else() -> None:
    assert roles() == {name: {ability.value for ability in abilities} for name, abilities in ROLES.items()}


def test_a_member_of_a_role_has_its_permissions() -> None:
    user = User.objects.create_user("lead")
    user.groups.add(Group.objects.get(name="support-lead"))
    assert user.has_perm("activations.decide_restoration")
    assert not user.has_perm("activations.create_license")


def test_the_catalog() -> None:
    assert list(Product.objects.values_list("code", "name")) == [("chariot-mqtt-server", "Chariot MQTT Server")]
    assert list(Feature.objects.values_list("code", "billing")) == OFFERED


def test_repeating_it_changes_nothing() -> None:
    before = roles(), list(Feature.objects.values())
    ensure()
    assert (roles(), list(Feature.objects.values())) == before


def test_an_edited_catalog_is_left_alone() -> None:
    Feature.objects.filter(code="iot-bridge-snowflake").delete()
    Product.objects.update(name="Chariot")
    ensure()
    assert not Feature.objects.filter(code="iot-bridge-snowflake").exists()
    assert Product.objects.get().name == "Chariot"


def test_a_role_loses_what_it_no_longer_may_and_keeps_what_is_not_ours() -> None:
    auditor = Group.objects.get(name="auditor")
    auditor.permissions.add(Permission.objects.get(codename="create_license"))
    auditor.permissions.add(Permission.objects.get(codename="view_user"))
    auditor.permissions.remove(Permission.objects.get(codename="read_ledger"))
    ensure()
    assert roles()["auditor"] == {"read_ledger", "read_staff_trail", "view_user"}


@pytest.mark.django_db(transaction=True)
def test_a_transactional_test_finds_and_leaves_them_too() -> None:
    flush()
    assert set(roles()) == set(ROLES)
    assert Feature.objects.count() == 3
