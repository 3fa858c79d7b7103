"""What the triggers let through of erasing: the one column, to the one form, of the one row that is booked."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction

from activations import models as m
from activations.models.erasable import ERASABLE, MARKED, PSEUDONYM
from activations.models.privacy import ERASED
from tests.database.test_refusals import run

pytestmark = pytest.mark.usefixtures("world")
COLUMNS = [(model, column) for model, columns in ERASABLE.items() for column in columns]


@pytest.mark.parametrize(("model", "column"), COLUMNS, ids=[f"{m._meta.model_name}.{c}" for m, c in COLUMNS])
def test_a_booked_column_takes_its_one_form_and_no_other(model: type[m.Reply], column: str) -> None:
    row = model._default_manager.order_by("pk").first()
    assert row is not None
    table, name = model._meta.db_table, str(model._meta.model_name)
    m.Erasure.objects.create(of_table=name, of_row=row.pk, of_column=column, seq=1)
    form = ERASABLE[model][column]
    right = {MARKED: ERASED, PSEUDONYM: "contact-AAAA@pseudonym.invalid"}.get(form, "")
    for wrong in ("something else", "contact-AAAA@acme-water.example", f"{ERASED} ", " "):
        with pytest.raises(IntegrityError):
            run(f"UPDATE {table} SET \"{column}\" = '{wrong}' WHERE id = {row.pk}")
    booked = m.Erasure.objects.filter(of_table=name, of_column=column).values("of_row")
    for other in model._default_manager.exclude(pk__in=booked)[:1]:
        with pytest.raises(IntegrityError):
            run(f"UPDATE {table} SET \"{column}\" = '{right}' WHERE id = {other.pk}")
    assert run(f"UPDATE {table} SET \"{column}\" = '{right}' WHERE id = {row.pk}") == 1
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:  # and stays as it is
        cursor.execute(f"UPDATE {table} SET \"{column}\" = 'back again' WHERE id = {row.pk}")


def test_a_booked_column_opens_no_other() -> None:
    row = m.OutgoingMail.objects.get(key="first")
    m.Erasure.objects.create(of_table="outgoingmail", of_row=row.pk, of_column="body", seq=1)
    with pytest.raises(IntegrityError):
        run(f"UPDATE activations_outgoingmail SET subject = '{ERASED}' WHERE id = {row.pk}")


def test_what_was_erased_may_still_be_sent_again_or_dropped() -> None:
    row = m.OutgoingMail.objects.get(key="first")
    m.Erasure.objects.create(of_table="outgoingmail", of_row=row.pk, of_column="body", seq=1)
    assert m.OutgoingMail.objects.filter(pk=row.pk).update(body=ERASED, state="dropped") == 1
