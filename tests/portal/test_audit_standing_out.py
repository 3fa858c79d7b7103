"""What stands out: each heading with what it is about, nothing for a quiet ledger, and links that lead to all of it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from activations.admin.audit.standing_out import WORDS
from activations.audit_queries import standing
from activations.audit_queries.standing import standouts
from activations.domain.words import Choice
from activations.models import Activation, LedgerEntry, UsageRequest
from activations.services.deactivate import deactivate_activation
from activations.services.key_reveal import show_license_key
from activations.services.licenses import LicenseChange, LicenseCreated, change_license
from tests.portal.cases import activated, approved, opened
from tests.portal.cast import AGENT, LEAD, MANAGER, SOURCE, answered, issue, make_keys, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser, signed_in

NOON = datetime(2031, 3, 12, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def day(db: None) -> Iterator[Any]:
    """By day, so that nothing stands out by the hour at which the tests run."""
    with time_machine.travel(NOON, tick=False) as clock:
        make_keys()
        yield clock


def sections(browser: Browser, days: int = 90) -> dict[str, str]:
    """Each section of the page as its HTML, by name."""
    page = browser.get(f"{reverse('admin:audit_standing_out')}?days={days}")
    return dict(re.findall(r'<section class="panel" aria-labelledby="([a-z-]+)">(.*?)</section>', page.html, re.DOTALL))


def count(section: str) -> str:
    found = re.search(r"<span class=\"tone-(?:wait|good)\">(.*?)</span>", section)
    assert found, section
    return found[1]


def all_of(browser: Browser, section: str) -> str:
    """The list of the ledger to which the heading's link leads, as the HTML of its rows."""
    found = re.search(r'<a href="([^"]*stands_out[^"]*)">All in the ledger', section)
    assert found, section
    page = browser.get(html.unescape(found[1]))
    assert page.path == reverse("admin:activations_ledgerentry_changelist")
    assert "e=1" not in "".join(page.redirects)  # what Django says of a filter that it does not know
    return page.table("result_list")


def test_a_quiet_ledger_has_nothing(day: Any) -> None:
    license = make_license()
    pump = activated(license, "pump-house")
    pump.install(answered(pump.request()))
    approved(opened("pump-house"))
    code = Chariot(license.license_key, host("mill"))
    code.install(answered(code.request()))
    assert deactivate_activation(license_id=license.license_id, code=code.deactivate(), actor=AGENT, source=SOURCE)

    assert {each.name: each.count for each in standouts(NOON - timedelta(days=90))} == dict.fromkeys(WORDS, 0)
    found = sections(signed_in("auditor"))
    assert list(found) == list(WORDS)
    assert {count(section) for section in found.values()} == {"none"}
    assert not any("All in the ledger" in section for section in found.values())


def above_quota(license: LicenseCreated) -> str:
    for name in ("one", "two", "three"):
        activated(license, name)
        case = opened(name)
        approved(case, override=name == "three")
    return f"above the quota (2 before, 2 allowed) {case.restoration_id}"


def sighting(license: LicenseCreated) -> str:
    pump = activated(license, "pump-house")
    approved(opened("pump-house"))
    issue(pump.request())
    return "Written-off host seen again"


def override(license: LicenseCreated) -> str:
    pump = activated(license, "pump-house")
    pump.facts = host("new hardware")
    answered(pump.request(), Choice.REBIND, actor=LEAD, reason="a new main board")
    return "a new main board"


def accepted_host(license: LicenseCreated) -> str:
    bare = host("bare", board_uuid=None, macs=(), disk_serial=None)
    answered(Chariot(license.license_key, bare).request(), Choice.ACCEPT_HOST, actor=LEAD, reason="no more to see")
    return "no more to see"


def accepted_sighting(license: LicenseCreated) -> str:
    pump = activated(license, "pump-house")
    approved(opened("pump-house"))
    answered(pump.request(), Choice.SECOND, actor=LEAD, reason="it was dried")
    return "it was dried"


def key_shown(license: LicenseCreated) -> str:
    show_license_key(license_id=license.license_id, actor=MANAGER, source=SOURCE, reason="asked by phone")
    return "asked by phone"


def export(license: LicenseCreated) -> str:
    auditor = signed_in("auditor")
    form = auditor.get(reverse("admin:activations_ledgerentry_changelist")).form(reverse("admin:logout"))
    address = reverse("admin:activations_ledgerentry_export")
    answer: Any = auditor.client.post(address, {**form.fields, "format": "csv"})
    b"".join(answer.streaming_content)  # the export is booked when it is whole
    return "as csv, rows: "


def ledger_export(license: LicenseCreated) -> str:
    call_command("export_ledger", "--format", "jsonl", stdout=StringIO(), stderr=StringIO())
    return "As jsonl"


@pytest.mark.parametrize(
    ("name", "happens"),
    [
        ("above-quota", above_quota),
        ("sightings", sighting),
        ("overrides", override),
        ("overrides", accepted_host),
        ("overrides", accepted_sighting),
        ("keys-shown", key_shown),
        ("exports", export),
        ("exports", ledger_export),
    ],
)
def test_it_stands_under_its_heading_and_in_the_list_behind_it(
    name: str, happens: Callable[[LicenseCreated], str]
) -> None:
    words = happens(make_license(allowed=4))
    auditor = signed_in("auditor")

    section = sections(auditor)[name]

    assert count(section) == "1"
    behind = all_of(auditor, section)
    assert behind.count("<tr>") == 2  # the heading of the table, and the entry
    for part in words.split(" RES-")[0].splitlines():
        assert part in section
        assert part in behind


def test_many_usage_licenses_by_one_person(day: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "MANY_A_DAY", 3)
    license = make_license(allowed=9)
    for number in range(3):
        activated(license, f"pump-{number}")
    answered(Chariot(license.license_key, host("other")).request(), actor=LEAD)
    day.shift(timedelta(days=1))
    activated(license, "next-day")
    auditor = signed_in("auditor")

    section = sections(auditor)["many-by-one"]

    assert count(section) == "1"
    assert re.search(r"2031-03-12</a></td><td>agent</td><td>3</td>", section)
    assert all_of(auditor, section).count("<tr>") == 1 + 3
    day_link = html.unescape(re.findall(r'href="([^"]*at__day[^"]*)"', section)[0])
    assert auditor.get(day_link).table("result_list").count("<tr>") == 1 + 3


def test_usage_licenses_issued_at_night(day: Any) -> None:
    license = make_license(allowed=9)
    activated(license, "by-day")
    for hour, name in ((22, "late"), (29, "early"), (30, "morning")):
        day.move_to(NOON.replace(hour=0) + timedelta(hours=hour))
        activated(license, name)
    auditor = signed_in("auditor")

    section = sections(auditor)["at-night"]

    assert count(section) == "2"
    assert re.search(
        r"2031-03-13</a></td><td>agent</td><td>1</td>.*2031-03-12</a></td><td>agent</td><td>1</td>", section
    )
    assert all_of(auditor, section).count("<tr>") == 1 + 2
    # A day's link leads to what was issued in its night, not to all of that day.
    day_link = html.unescape(re.findall(r'href="([^"]*at__day=12[^"]*)"', section)[0])
    assert auditor.get(day_link).table("result_list").count("<tr>") == 1 + 1


def test_the_newest_are_shown_and_all_are_behind_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "MOST_SHOWN", 2)
    license = make_license()
    for number in range(3):
        show_license_key(license_id=license.license_id, actor=MANAGER, source=SOURCE, reason=f"call {number}")
    auditor = signed_in("auditor")

    section = sections(auditor)["keys-shown"]

    assert count(section) == "3"
    assert "call 0" not in section
    assert "The newest 2" in section
    assert all("call" in row for row in all_of(auditor, section).split("<tr>")[2:])
    assert all_of(auditor, section).count("<tr>") == 1 + 3


def test_what_came_before_the_period_is_not_told(day: Any) -> None:
    key_shown(make_license())
    day.shift(timedelta(days=8))
    key_shown(make_license())
    auditor = signed_in("auditor")

    assert count(sections(auditor, 7)["keys-shown"]) == "1"
    assert all_of(auditor, sections(auditor, 7)["keys-shown"]).count("<tr>") == 1 + 1
    assert count(sections(auditor, 30)["keys-shown"]) == "2"


def test_who_decided_what_leads_to_all_of_its_period(day: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activations.admin.audit.standing_out.MOST_DECISIONS", 1)
    license = make_license()
    override(license)
    auditor = signed_in("auditor")
    page = auditor.get(reverse("admin:audit_decisions"))

    link = re.findall(r'<a href="([^"]*stands_out=decisions[^"]*)">All of this period', page.html)[0]

    behind = auditor.get(html.unescape(link)).table("result_list")
    assert "License created" in behind
    assert "a new main board" in behind
    assert "Usage Request received" not in behind
    assert "settled" not in behind


def test_a_code_that_settles_a_written_off_host_is_no_decision() -> None:
    license = make_license()
    pump = activated(license, "pump-house")
    approved(opened("pump-house"))
    assert UsageRequest.objects.count() == 1
    result = deactivate_activation(license_id=license.license_id, code=pump.deactivate(), actor=AGENT, source=SOURCE)
    assert getattr(result, "effect", "") == "settled"
    told = signed_in("auditor").get(reverse("admin:audit_decisions")).words
    assert "Restoration approved" in told
    assert "Written-off host settled" not in told
    assert {each.count for each in standouts(timezone.now() - timedelta(days=1)) if each.name == "overrides"} == {0}


def test_the_ledger_is_searched_by_who_a_license_is_or_was(day: Any) -> None:
    sold, other = make_license(customer='Acme "Water"'), make_license(customer="Beta Mills")
    change_license(
        license_id=sold.license_id,
        change=LicenseChange(customer="Gamma Ports"),
        actor=MANAGER,
        source=SOURCE,
        reason="agreed",
    )
    auditor = signed_in("auditor")

    def chains(words: str) -> set[str]:
        address = reverse("admin:activations_ledgerentry_changelist")
        page = auditor.get(f"{address}?q={words}")
        return set(re.findall("LIC-[0-9A-Z-]+", page.table("result_list")))

    assert chains('acme "wat') == {sold.license_id}
    assert chains("gamma") == {sold.license_id}
    assert chains("BETA") == {other.license_id}
    assert chains("a") == {sold.license_id, other.license_id}
    assert chains(".*") == set()
    assert (
        "every entry of the licenses that are theirs or ever were"
        in auditor.get(reverse("admin:activations_ledgerentry_changelist")).words
    )


@pytest.mark.parametrize("format", ["csv", "xlsx", "jsonl"])
def test_what_stands_out_can_be_exported(day: Any, format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "MANY_A_DAY", 1)
    day.move_to(NOON.replace(hour=23))
    activated(make_license(), "pump-house")
    auditor = signed_in("auditor")
    form = auditor.get(reverse("admin:activations_ledgerentry_changelist")).form(reverse("admin:logout"))
    for name in (*WORDS, "decisions"):
        address = f"{reverse('admin:activations_ledgerentry_export')}?stands_out={name}"
        answer: Any = auditor.client.post(address, {**form.fields, "format": format})
        content = b"".join(answer.streaming_content)
        assert content
        if format == "jsonl" and name in ("many-by-one", "at-night"):
            assert sum(b"usage_license.issued" in line for line in content.splitlines()) == 1


def test_an_entry_leads_to_the_story_and_the_day(day: Any) -> None:
    license = make_license()
    activated(license, "pump-house")
    entry = LedgerEntry.objects.get(kind="activation.created")
    auditor = signed_in("auditor")
    page = auditor.get(reverse("admin:activations_ledgerentry_change", args=[entry.pk]))
    name = Activation.objects.get().activation_id
    assert f'href="{reverse("admin:audit_story", args=[name])}"' in page.html
    assert f"?license={license.license_id}&amp;day=2031-03-12" in page.html
    portal = LedgerEntry.objects.filter(chain="portal").latest("pk")
    assert auditor.get(reverse("admin:activations_ledgerentry_change", args=[portal.pk])).status == 200
