"""Several Usage Requests and codes in one text: each with its verdict, one after the other, none forgotten."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from activations.admin import pages, several
from activations.models import UsageRequest
from activations.services.licenses import LicenseCreated
from tests.portal.cast import answered, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser, Form, Page, mail

SignIn = Callable[[str], Browser]
LEFT = "of 3. Go on with the rest"


@pytest.fixture
def pump(license: LicenseCreated) -> Chariot:
    return Chariot(license.license_key, host("pump-house"))


def ones(page: Page) -> list[Form]:
    """The buttons that go on with one of several."""
    return [form for form in page.forms if form.fields.get("one") == "1"]


def test_several_requests_are_told_apart_and_looked_at_one_by_one(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    agent = sign_in("agent")
    other = Chariot(license.license_key, host("filter-hall"))
    page = agent.paste(pump.request() + "\nand the other one\n" + other.request())
    assert "2 Usage Requests in one text" in page.words
    assert "filter-hall, request number 1" in page.words
    assert page.words.count("Issue New activation") == 2
    assert "Acme Water" in page.words
    assert not UsageRequest.objects.exists()
    assert "filter-hall" in page.send(ones(page)[1]).words


def test_after_each_booking_the_rest_is_one_click_away(license: LicenseCreated, sign_in: SignIn) -> None:
    names = ("pump-house", "filter-hall", "new-line")
    text = "\n".join(Chariot(license.license_key, host(name)).request() for name in names)
    agent = sign_in("agent")
    page = agent.paste(mail(text))
    assert LEFT not in page.words
    shown = page.send(ones(page)[0])
    assert f"Still to do from the text you pasted: 3 {LEFT}" in shown.words
    booked = agent.confirm(shown)
    assert "Usage License issued" in booked.words
    assert f"Still to do from the text you pasted: 2 {LEFT}" in booked.words
    rest = agent.get(reverse("admin:desk_rest"))
    assert [form.fields["text"].strip() in text for form in ones(rest)] == [True, True]
    assert rest.words.count("Done It was booked from this list.") == 1
    booked = agent.confirm(rest.send(ones(rest)[0]))
    assert f"Still to do from the text you pasted: 1 {LEFT}" in booked.words
    rest = agent.get(reverse("admin:desk_rest"))
    assert "No seat is free" in rest.words
    booked = agent.confirm(rest.send(ones(rest)[0]))
    assert "Still to do" not in booked.words
    assert "All of it is booked." in agent.get(reverse("admin:desk_rest")).words
    assert [row.hostname for row in UsageRequest.objects.order_by("id")] == list(names)


def test_the_next_text_takes_the_place_of_the_rest(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    agent = sign_in("agent")
    agent.paste(pump.request() + Chariot(license.license_key, host("filter-hall")).request())
    assert "Still to do" in agent.get(reverse("admin:desk")).words
    page = agent.paste(Chariot(license.license_key, host("new-line")).request())
    assert "Still to do" not in page.words
    page = agent.get(reverse("admin:desk_rest"))
    assert page.path == reverse("admin:desk")
    assert "Nothing is left of an earlier text." in page.words


def test_the_rest_is_kept_encrypted_and_only_so_much(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    pump.install(answered(pump.request()))
    code, other = pump.deactivate(), Chariot(license.license_key, host("filter-hall"))
    agent = sign_in("agent")
    text = f"Private words. {license.license_id} {code}\n{other.request()}\n{pump.request()}"
    page = agent.paste(text)
    assert "2 Usage Requests and 1 deactivation code in one text" in page.words
    assert "pump-house, deactivation code" in page.words
    assert "Frees a seat" in page.words
    kept = str(agent.client.session.items())
    for secret in (code, code.replace("-", ""), "Private words", other.request().splitlines()[3]):
        assert secret not in kept
    monkeypatch.setattr(several, "MOST_KEPT", 1000)
    page = agent.paste(text)
    assert "This is too much to remember" in page.words
    assert "Still to do" not in agent.get(reverse("admin:desk")).words


def test_of_many_only_ten_are_looked_at_at_once(license: LicenseCreated, sign_in: SignIn) -> None:
    agent = sign_in("agent")

    def text(number: int) -> str:
        return "\n".join(Chariot(license.license_key, host(f"host-{n}")).request() for n in range(number))

    with CaptureQueriesContext(connection) as ten:
        page = agent.paste(text(10))
    assert "Not looked at yet" not in page.words
    with CaptureQueriesContext(connection) as thirty:
        page = agent.paste(text(30))
    assert page.words.count("Not looked at yet") == 20
    assert len(thirty) == len(ten) <= 200
    assert "New activation" in page.send(ones(page)[29]).words
    page = agent.paste(text(52))
    assert len(ones(page)) == 50
    assert "2 more are not listed" in page.words
    assert "Still to do from the text you pasted: 50 of 50." in agent.get(reverse("admin:desk")).words


def test_what_was_booked_long_ago_is_still_done(
    signing_keys: None, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session keeps the results of the latest bookings only."""
    monkeypatch.setattr(pages, "KEPT_RESULTS", 2)
    license, agent = make_license(allowed=9), sign_in("agent")
    agent.paste("\n".join(Chariot(license.license_key, host(f"host-{n}")).request() for n in range(5)))
    for number in range(4):
        rest = agent.get(reverse("admin:desk_rest"))
        assert len(ones(rest)) == 5 - number
        booked = agent.confirm(rest.send(ones(rest)[0]))
    assert "Still to do from the text you pasted: 1 of 5." in booked.words


def test_codes_and_a_request_do_not_forget_one_another(license: LicenseCreated, pump: Chariot, sign_in: SignIn) -> None:
    pump.install(answered(pump.request()))
    text = f"{license.license_id}\n{pump.deactivate()}\n{Chariot(license.license_key, host('new-line')).request()}"
    agent = sign_in("agent")
    page = agent.paste(text)
    assert "New activation" in page.words
    code = next(form for form in page.forms if form.fields.get("code") == "1")
    page = page.send(code)
    booked = page.send(page.form(reverse("admin:desk_deactivate")))
    assert "Deactivation booked" in booked.words
    assert "Still to do from the text you pasted: 1 of 2." in booked.words
    rest = agent.get(reverse("admin:desk_rest"))
    assert rest.words.count("Done It was booked from this list.") == 1
    assert "Usage License issued" in agent.confirm(rest.send(ones(rest)[0])).words


def test_several_codes_are_listed_each_with_what_it_does(license: LicenseCreated, sign_in: SignIn) -> None:
    other = make_license(customer="Northern Paper Mill")
    codes = []
    for sold, name in ((license, "pump-house"), (other, "press-1")):
        chariot = Chariot(sold.license_key, host(name))
        chariot.install(answered(chariot.request()))
        codes.append(chariot.deactivate())
    agent = sign_in("agent")
    page = agent.paste(f"{license.license_id} {codes[0]}\n{other.license_id} {codes[1]}")
    assert "2 deactivation codes in one text" in page.words
    assert "Acme Water" in page.words
    assert "Northern Paper Mill" in page.words
    shown = page.send(ones(page)[1])
    assert "Frees a seat" in shown.words
    assert "press-1" in shown.words
    booked = shown.send(shown.form(reverse("admin:desk_deactivate")))
    assert "Still to do from the text you pasted: 1 of 2." in booked.words


def test_a_damaged_request_among_several_names_its_lines(
    license: LicenseCreated, pump: Chariot, sign_in: SignIn
) -> None:
    lines = pump.request().splitlines()
    broken = "\n".join([*lines[:3], *lines[6:]])
    others = [Chariot(license.license_key, host(name)).request() for name in ("filter-hall", "new-line")]
    agent = sign_in("agent")
    page = agent.paste("\n".join([others[0], broken, others[1]]))
    assert "3 Usage Requests in one text" in page.words
    assert "Ask the customer for lines 3, 4 and 5 again" in page.words
    assert len(ones(page)) == 2
    beside = agent.paste(others[0] + "\n" + broken)
    assert "New activation" in beside.words
    assert "There is a damaged Usage Request in this text as well" in beside.words
