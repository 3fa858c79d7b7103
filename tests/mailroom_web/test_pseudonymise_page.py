"""Pseudonymising from the customer's page, and by command."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from activations.models import Contact, LedgerEntry
from activations.services.licenses import LicenseCreated
from activations.services.privacy.person import pseudonym_of
from tests.mailroom.letters import CUSTOMER, letter
from tests.mailroom_web.post import arrived, known, place
from tests.portal.commands.asking import answer
from tests.portal.web import Browser

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Browser]


@pytest.fixture
def contact(license: LicenseCreated) -> Contact:
    known(license.license_id)
    Contact.objects.update(name="Ada Byron")
    arrived(letter("Hello, Ada Byron here.\n", sender=f"Ada Byron <{CUSTOMER}>"))
    return Contact.objects.get()


def test_from_the_customer_page_to_the_pseudonym(contact: Contact, sign_in: SignIn) -> None:
    browser, address = sign_in("manager"), reverse("admin:customer_pseudonymise", args=[contact.pk])
    page = browser.get(place("activations_customer_change", contact.customer_id))
    assert f'href="{address}"' in page.html
    page = browser.get(address)
    name = pseudonym_of(CUSTOMER)
    for words in (name, CUSTOMER, "Ada Byron", "originals of mails", "What stays", "Backups"):
        assert words in page.words
    page = page.send(page.form(), reason="asked for it")
    assert f"The contact is {name} from now on." in page.words
    assert "Byron" not in page.words
    assert f'href="{address}"' not in page.html
    assert LedgerEntry.objects.latest("id").kind == "contact.pseudonymised"


def test_what_changed_since_is_shown_again(contact: Contact, sign_in: SignIn) -> None:
    page = sign_in("manager").get(reverse("admin:customer_pseudonymise", args=[contact.pk]))
    arrived(letter("One more thing.\n", sender=CUSTOMER))
    page = page.send(page.form(), reason="asked for it")
    assert "Something came in or changed since you looked" in page.words
    page = page.send(page.form(), reason="asked for it")
    assert "from now on" in page.words


def test_a_reason_that_names_them_is_refused_beside_the_form(contact: Contact, sign_in: SignIn) -> None:
    page = sign_in("administrator").get(reverse("admin:customer_pseudonymise", args=[contact.pk]))
    page = page.send(page.form(), reason="Ada Byron wants it")
    assert "The reason names the contact" in page.words
    assert Contact.objects.get().name == "Ada Byron"


def test_others_see_no_link_and_no_page(contact: Contact, sign_in: SignIn) -> None:
    client: Client = sign_in("agent").client
    page = sign_in("agent").get(place("activations_customer_change", contact.customer_id))
    assert "Ada Byron" in page.words
    assert "Pseudonymise" not in page.words
    assert client.get(reverse("admin:customer_pseudonymise", args=[contact.pk])).status_code == 403


def test_by_command(contact: Contact, sign_in: SignIn) -> None:
    sign_in("manager")
    command = ("pseudonymise_contact", CUSTOMER, "--actor", "manager")
    assert answer(*command, "--dry-run")["erased"] == {"mailsource": 1}
    assert Contact.objects.get().name == "Ada Byron"
    assert answer(*command, exit_code=2)["code"] == "reason-missing"
    told = answer(*command, "--reason", "asked for it")
    assert told["pseudonym"] == pseudonym_of(CUSTOMER) == Contact.objects.get().name
    assert answer(*command, "--reason", "asked for it", exit_code=2)["code"] == "contact-unknown"
    told = answer("forget_mails", "--older-than", "730d", "--actor", "manager", "--dry-run")
    assert (told["incoming"], told["outgoing"]) == (0, 0)
    assert answer("forget_mails", "--older-than", "2y", "--actor", "manager", exit_code=2)["code"] == "days-unreadable"
