"""The rows every portal has from the start: the roles as groups, and what is sold (Design 2).

Not a migration, because Django makes permissions only after the migrations, and because a portal that is updated
must get what a newer version says of its roles.
"""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission

from activations.domain.words import ROLES, Ability
from activations.models.catalog import Billing, Feature, Product

PRODUCT = ("chariot-mqtt-server", "Chariot MQTT Server")
FEATURES = [
    ("mqtt-server", "MQTT Server", Billing.ONE_TIME),
    ("iot-bridge-snowflake", "IoT Bridge for Snowflake", Billing.METERED),
    ("mqtt-server-support", "MQTT Server Support", Billing.YEARLY),
]


def ensure(app: AppConfig, *, using: str) -> None:
    """Makes what is missing; safe to repeat. A catalog that has been edited is left as it is."""
    _ensure_roles(app, using)
    if not Product.objects.using(using).exists():
        _create_catalog(using)


def _ensure_roles(app: AppConfig, using: str) -> None:
    """Each role's group holds exactly the abilities of `words.ROLES`; other permissions it was given stay."""
    create_permissions(app, verbosity=0, using=using)
    permissions = {
        permission.codename: permission
        for permission in Permission.objects.using(using).filter(
            content_type__app_label=app.label, codename__in=[ability.value for ability in Ability]
        )
    }
    for role, abilities in ROLES.items():
        group, _ = Group.objects.using(using).get_or_create(name=role)
        held = set(group.permissions.filter(pk__in=[p.pk for p in permissions.values()]))
        due = {permissions[ability.value] for ability in abilities}
        group.permissions.remove(*(held - due))
        group.permissions.add(*(due - held))


def _create_catalog(using: str) -> None:
    code, name = PRODUCT
    product = Product.objects.using(using).create(code=code, name=name)
    Feature.objects.using(using).bulk_create(
        Feature(product=product, code=code, name=name, billing=billing) for code, name, billing in FEATURES
    )
