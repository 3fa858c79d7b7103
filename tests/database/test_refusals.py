"""Each statement of `cases` is refused by the database, and only by its triggers."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction

from activations.models import triggers
from activations.models.guards import all_guards
from tests.database.cases import all_cases
from tests.database.statements import SNAPSHOT_MESSAGES, Case

CASES = all_cases(connection.vendor)
REPLICATION_ROLES = ["origin", "replica"] if connection.vendor == "postgresql" else [""]
each_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def run(sql: str, role: str = "") -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        if role:
            cursor.execute(f"SET LOCAL session_replication_role = {role}")
        cursor.execute(sql)
        return int(cursor.rowcount)


@each_case
def test_is_refused(case: Case, world: None) -> None:
    for role in REPLICATION_ROLES:
        with pytest.raises(IntegrityError) as refusal:
            run(case.sql, role)
        assert str(refusal.value).splitlines()[0] == case.message


@each_case
def test_succeeds_once_the_triggers_are_gone(case: Case, world: None) -> None:
    """The negative control: nothing but the trigger stood in the way."""
    triggers.uninstall(connection)
    assert run(case.sql) != 0


def test_every_rule_has_its_case() -> None:
    tested = {(case.trigger, case.message) for case in CASES}
    untested = [
        f"{guard.name}: {rule.message}"
        for guard in all_guards(connection.vendor)
        for rule in guard.rules
        if (guard.name, rule.message) not in tested and rule.message not in SNAPSHOT_MESSAGES
    ]
    assert untested == []
