"""A conversation with two copies of one mail: the page says so, and nobody is led to answer twice, or to a forger."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from activations.models import OutgoingMail
from activations.services.licenses import LicenseCreated
from tests.mailroom.letters import CUSTOMER, letter
from tests.mailroom.test_copies import EVE, FIRST, through_gateway
from tests.mailroom_web.post import arrived, conversation, known, opened, place
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Browser]
ANOTHER = "another copy of a mail that is here already"
OTHER_SENDER = "It names another sender"


@pytest.fixture
def chariot(license: LicenseCreated) -> Chariot:
    known(license.license_id)
    return Chariot(license.license_key, host("pump-house"))


def test_the_copy_is_named_and_its_request_shown_once(chariot: Chariot, sign_in: SignIn) -> None:
    plain = letter(f"Please:\n\n{chariot.request()}\n")
    first = arrived(plain)
    arrived(through_gateway(plain))
    agent, here = sign_in("agent"), place("inbox_conversation", conversation().pk)
    page = agent.get(here)
    assert page.words.count(ANOTHER) == 1
    assert f'href="?mail={first.pk}#mail-{first.pk}"' in page.html
    assert OTHER_SENDER not in page.words
    assert "1 thing in this conversation waits for our answer" in page.words
    assert page.words.count("Waits for our answer.") == 1
    assert page.words.count("The same Usage Request is in the other copy of this mail") == 1

    agent.confirm(opened(agent, first))
    page = agent.get(here)
    assert page.words.count("Answered in this conversation.") == 1
    assert page.words.count("The same Usage Request is in the other copy of this mail") == 1
    assert "for our answer" not in page.words
    assert OutgoingMail.objects.count() == 1
    assert "Waiting for customer 1" in agent.get(place("inbox")).words


def test_a_mail_without_a_copy_says_nothing_of_one(chariot: Chariot, sign_in: SignIn) -> None:
    arrived(letter(chariot.request()))
    assert ANOTHER not in sign_in("agent").get(place("inbox_conversation", conversation().pk)).words


def test_a_forged_copy_is_warned_of_and_never_answered_by_default(chariot: Chariot, sign_in: SignIn) -> None:
    """Eve repeats the customer's mail under her own name, with an address for the answer."""
    text = chariot.request()
    first = arrived(letter(text, message_id=FIRST))
    forged = arrived(letter(text, sender=EVE, message_id=FIRST, Reply_To="eve@another.example"))
    agent = sign_in("agent")
    page = agent.get(place("inbox_conversation", conversation().pk))
    assert page.words.count(ANOTHER) == 1
    assert OTHER_SENDER in page.words
    assert f"{EVE} is not a contact of this customer" in page.words
    assert page.form(place("inbox_write", conversation().pk)).fields["to"] == CUSTOMER
    assert opened(agent, first).form(place("desk_confirm")).fields["to"] == CUSTOMER

    offered = [value for value, _ in page.form(place("inbox_write", conversation().pk)).choices["to"]]
    assert offered == [CUSTOMER, EVE], "the Reply-To of a copy is not offered"

    page = opened(agent, forged)
    assert f"{EVE} is not a contact of this customer" in page.words
    refused = agent.confirm(page)
    assert "Tick the box" in refused.words
    assert not OutgoingMail.objects.exists()


def test_many_forged_copies_push_nobody_off_the_list(chariot: Chariot, sign_in: SignIn) -> None:
    arrived(letter(chariot.request(), sender="noreply@acme-water.example", message_id=FIRST))
    for number in range(25):
        arrived(letter(f"Number {number}", sender=f"eve{number}@elsewhere.example", message_id=FIRST))
    form = (
        sign_in("agent")
        .get(place("inbox_conversation", conversation().pk))
        .form(place("inbox_write", conversation().pk))
    )
    assert form.fields["to"] == CUSTOMER, "the contact, since a machine's address is not written to"


def test_a_request_that_only_the_forged_copy_has_stands_for_itself(
    license: LicenseCreated, chariot: Chariot, sign_in: SignIn
) -> None:
    arrived(letter(chariot.request(), message_id=FIRST))
    other = Chariot(license.license_key, host("filter-hall")).request()
    arrived(letter(other, sender=EVE, message_id=FIRST))
    page = sign_in("agent").get(place("inbox_conversation", conversation().pk))
    assert page.words.count("Waits for our answer.") == 2
    assert "The same Usage Request" not in page.words
