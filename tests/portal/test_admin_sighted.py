"""Written-off hosts that were seen again, and the lists of cases and tombstones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from activations import case_queries
from activations.domain.words import Choice
from activations.models import Restoration, Tombstone, UsageRequest
from activations.services.licenses import LicenseCreated
from tests.portal.cases import LIST, STONES, activated, approved, opened, page_of, rows
from tests.portal.cast import LEAD, SECOND_LEAD, answered, issue, make_license
from tests.portal.chariot import Chariot
from tests.portal.web import Browser

SignIn = Callable[[str], Browser]


@pytest.fixture
def pump(license: LicenseCreated) -> Chariot:
    return activated(license, "pump-house")


@pytest.fixture
def case(pump: Chariot) -> Restoration:
    return opened("pump-house")


def test_a_sighting_reopens_the_case_on_the_desk(
    license: LicenseCreated, case: Restoration, pump: Chariot, sign_in: SignIn
) -> None:
    approved(case)
    lead = sign_in("lead")
    assert "seen again" not in page_of(lead, case).words
    issue(pump.request())
    request = UsageRequest.objects.latest("pk")

    page = page_of(lead, case)

    seen = f"Seen again on {request.received_at:%Y-%m-%d %H:%M} UTC, request {request.request_id[:8]}"
    assert seen in page.words
    assert "from host pump-house" in page.words
    assert "ask the customer for the deactivation code of that Chariot" in page.words
    assert f'href="{reverse("admin:desk_request", args=[request.request_id])}"' in page.html
    stone = Tombstone.objects.get()
    assert seen in page_of(lead, stone).words
    for address in (reverse(LIST), f"{reverse(LIST)}?seen=yes", f"{reverse(STONES)}?seen=yes"):
        assert case.restoration_id in lead.get(address).html or stone.tombstone_id in lead.get(address).html
    assert "seen again" in lead.get(reverse(LIST)).words
    assert case.restoration_id not in lead.get(f"{reverse(LIST)}?seen=no").html


def test_the_code_or_a_lead_settles_it(
    license: LicenseCreated, case: Restoration, pump: Chariot, sign_in: SignIn
) -> None:
    approved(case)
    text = pump.request()
    issue(text)
    assert [row.case for row in case_queries.sighted_cases("agent")] == [case]

    answered(text, Choice.SECOND, actor=LEAD, reason="It is the repaired server.")

    assert case_queries.sighted_cases("agent") == []
    lead = sign_in("lead")
    assert "What to do" not in page_of(lead, case).words
    assert case.restoration_id in lead.get(f"{reverse(LIST)}?seen=settled").html
    assert case.restoration_id not in lead.get(f"{reverse(LIST)}?seen=yes").html


def test_the_people_of_a_case_are_told(license: LicenseCreated) -> None:
    chariots = {}
    for name, decided_by in (("mill", LEAD), ("tower", SECOND_LEAD)):
        chariots[name] = activated(license, name)
        approved(opened(name), actor=decided_by)
    mill, tower = (Restoration.objects.get(activation__hostname=name) for name in chariots)
    assert case_queries.sighted_cases("agent") == []
    issue(chariots["mill"].request())
    issue(chariots["tower"].request())
    issue(chariots["tower"].request())

    def told(name: str) -> list[Restoration | None]:
        return [row.case for row in case_queries.sighted_cases(name)]

    assert (told("agent"), told("lead"), told("second-lead")) == ([tower, mill], [mill], [tower])
    assert told("manager") == []
    latest = case_queries.sighted_cases("agent")[0]
    assert len(latest.sightings) == 2
    assert latest.latest.request == UsageRequest.objects.latest("pk")
    assert latest.latest.request.hostname == "tower"


def test_telling_them_takes_the_same_number_of_queries(license: LicenseCreated, django_assert_num_queries: Any) -> None:
    def one_more(name: str) -> None:
        chariot = activated(make_license(customer=name), name)
        approved(opened(name))
        issue(chariot.request())

    one_more("mill")
    with django_assert_num_queries(2):
        assert len(shown()) == 1
    for name in ("tower", "dairy", "depot"):
        one_more(name)
    with django_assert_num_queries(2):
        assert len(shown()) == 4


def shown() -> list[str]:
    """What a home page writes of each."""
    return [
        f"{row.case.restoration_id} {row.tombstone.license.customer.name} {row.tombstone.activation.hostname} "
        f"{row.latest.seen_at:%Y-%m-%d} {row.latest.request.hostname}"
        for row in case_queries.sighted_cases("agent")
        if row.case
    ]


# --- lists ------------------------------------------------------------------------------------------------


def test_lists_are_filtered_and_searched(license: LicenseCreated, case: Restoration, sign_in: SignIn) -> None:
    dairy = make_license(customer="Summit Dairy")
    activated(dairy, "cold-store")
    approved(opened("cold-store", actor=SECOND_LEAD))
    lead, stone = sign_in("lead"), Tombstone.objects.get()
    cases, stones = reverse(LIST), reverse(STONES)
    found = {
        query: rows(lead, f"{cases}?{query}")
        for query in (
            "",
            "state__exact=requested",
            "mine=decide",
            "mine=opened",
            "mine=decided",
            "quota=within",
            "quota=above",
            "seen=no",
            f"q={case.restoration_id.lower()}",
            f"q={case.activation.activation_id.lower().replace('-', '+')}",
            f"q={dairy.license_id}",
            f"q={stone.tombstone_id}",
            "q=summit",
            "q=pump-house",
            "q=nowhere",
        )
    }
    assert list(found.values()) == [2, 1, 1, 0, 1, 1, 0, 2, 1, 1, 1, 1, 1, 1, 0], found
    for query, expected in {
        "": 1,
        "seen=no": 1,
        "seen=yes": 0,
        "mine=decided": 1,
        "mine=opened": 0,
        "kind__exact=restored": 1,
        f"q={stone.restoration}": 1,
        f"q={dairy.license_id.lower()}": 1,
        "q=cold-store": 1,
        "q=pump-house": 0,
    }.items():
        assert rows(lead, f"{stones}?{query}") == expected, query
    assert "For me to decide" not in sign_in("agent").get(cases).words


@pytest.mark.parametrize("name", ["restoration", "tombstone", "activation"])
def test_lists_are_exported_as_filtered(license: LicenseCreated, case: Restoration, sign_in: SignIn, name: str) -> None:
    approved(case)
    activated(license, "mill")
    lead = sign_in("lead")
    address = reverse(f"admin:activations_{name}_export")
    form = lead.get(reverse("admin:index")).form(reverse("admin:logout"))

    answer = lead.client.post(f"{address}?q=pump-house", {**form.fields, "format": "csv"})

    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 2
    row = {"restoration": case, "tombstone": Tombstone.objects.get(), "activation": case.activation}[name]
    assert lines[1].startswith(f"{row},")
    assert "pump-house" in lines[1]
