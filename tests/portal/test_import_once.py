"""A form of the import is used up by what it books, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable

from django.urls import reverse

from activations.models import Customer, License, SentForm
from tests.portal.cast import entries
from tests.portal.test_import import GOOD
from tests.portal.test_import_web import upload
from tests.portal.web import Browser

SignIn = Callable[[str], Browser]


def imports() -> list[tuple[str, str]]:
    return [(actor, kind) for _, actor, kind, _ in entries("portal") if kind == "list.imported"]


def test_an_import_that_booked_nothing_may_be_sent_again(sign_in: SignIn) -> None:
    page = upload(sign_in("manager"), GOOD)
    customer = Customer.objects.create(name="Acme Water")
    assert "Something changed since you looked at this file" in page.send(page.form()).words
    assert not SentForm.objects.exists()
    customer.delete()
    assert "2 licenses made." in page.send(page.form()).words
    assert imports() == [("manager", "list.imported")]
    for row in License.objects.all():
        assert [entry[1:3] for entry in entries(row.license_id)] == [("manager", "license.created")]


def test_another_file_under_a_used_token_is_not_taken_for_the_first(sign_in: SignIn) -> None:
    manager = sign_in("manager")
    first = upload(manager, "customer\nAcme Water\n", "customer")
    second = upload(manager, "customer\nSouthern Dairy\n", "customer")
    first.send(first.form())
    other = second.send(second.form(), token=first.form().fields["token"])
    assert "What you sent now was not booked" in other.words
    assert "nothing was booked twice" not in other.words
    assert f'<a href="{reverse("admin:activations_customer_changelist")}">' in other.html
    assert list(Customer.objects.values_list("name", flat=True)) == ["Acme Water"]
    assert imports() == [("manager", "list.imported")]
