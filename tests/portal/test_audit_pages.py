"""The auditor's pages: the story of an activation, what stands out, who decided, figures, the check of the ledger."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from activations.admin import paging
from activations.admin.audit.charts import HEIGHT, chart
from activations.audit_queries.figures import busiest_customers, months
from activations.models import Activation, Job, License, Reply
from activations.services.checkpoints import CheckpointMade, checkpoint_ledger
from activations.services.key_reveal import show_license_key
from activations.services.licenses import LicenseCreated
from activations.services.losses import approve_restoration, mark_lost, request_restoration
from activations.services.results import BadInput, Refused
from activations.tasks import run_jobs_job, send_checkpoints_job, verify_ledger_job
from tests.portal.cast import ADMINISTRATOR, AGENT, LEAD, MANAGER, SECOND_LEAD, SOURCE, answered, make_license
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser, mail, signed_in


@pytest.fixture
def activation(license: LicenseCreated) -> Activation:
    """Issued, lost, restored; the License Key was shown."""
    answered(mail(Chariot(license.license_key, host("pump-house")).request()))
    found = Activation.objects.select_related("license").get()
    done(mark_lost(activation_id=found.activation_id, actor=AGENT, source=SOURCE, reason="flooded in spring"))
    case = done(request_restoration(activation_id=found.activation_id, actor=LEAD, source=SOURCE, reason="flooded"))
    approve = {"restoration_id": case.restoration_id, "actor": SECOND_LEAD, "source": SOURCE}
    done(approve_restoration(**approve, reason="seen the photos"))
    done(show_license_key(license_id=license.license_id, actor=MANAGER, source=SOURCE, reason="asked by phone"))
    return found


@pytest.fixture
def auditor(activation: Activation) -> Browser:
    return signed_in("auditor")


def done(result: Any) -> Any:
    assert not isinstance(result, Refused | BadInput), result
    return result


def page(name: str, *arguments: str, query: str = "") -> str:
    return f"{reverse(f'admin:{name}', args=arguments)}{query}"


def test_the_story_has_every_text_exactly(auditor: Browser, activation: Activation) -> None:
    told = auditor.get(page("audit_story", activation.activation_id))

    request = activation.license.requests.get()
    assert "Hello Support" in request.received
    for text in (request.received, request.text, activation.usage_licenses.get().text):
        assert text.replace("&", "&amp;").replace(">", "&gt;") in told.html
    for words in (
        "Usage Request received",
        "Activated",
        "flooded in spring",
        "seen the photos",
        "Restored, seat freed",
    ):
        assert words in told.words
    order = [told.words.index(words) for words in ("Usage Request received", "Marked lost", "Restoration approved")]
    assert order == sorted(order)
    for reply in Reply.objects.filter(activation=activation):
        assert f"Reply written: {reply.kind}" in told.words
    assert auditor.get(page("audit_story", "ACT-0000-0000-0000-0000-0")).status == 404


def test_what_stands_out(auditor: Browser) -> None:
    told = auditor.get(page("audit_standing_out")).words
    assert "License Keys that were shown: 1" in told
    assert "asked by phone" in told
    assert "Restorations above the quota: none" in told
    assert "Written-off hosts that asked again: none" in told


def test_who_decided_what_names_who_asked(auditor: Browser) -> None:
    told = auditor.get(page("audit_decisions")).words
    assert "lead second-lead seen the photos" in told
    assert "lead second-lead" not in auditor.get(page("audit_decisions", query="?actor=manager")).words
    assert "Nobody decided anything" in auditor.get(page("audit_decisions", query="?actor=nobody")).words
    turned = auditor.get(page("audit_decisions", query="?first=2026-02-01&last=2026-01-01")).words
    assert "after the last one" in turned


def test_figures_are_those_of_the_ledger(auditor: Browser, activation: Activation) -> None:
    now = timezone.now()
    rows = months(12, now)
    assert len(rows) == 12
    assert rows[-1].first == now.date().replace(day=1)
    last = rows[-1]
    assert (last.allowed, last.active, last.lost, last.issued, last.restored, last.denied) == (2, 0, 0, 1, 1, 0)
    assert (rows[0].allowed, rows[0].issued) == (0, 0)
    assert months(12, now, "Somebody else")[-1].allowed == 0
    assert busiest_customers(now) == [("Acme Water", 1, 1)]

    told = auditor.get(page("audit_figures"))
    assert f"{last.first:%Y-%m} 2 0 0 1 1 0" in told.words
    assert 'class="bar-active"' in told.html
    assert (
        "No license is, or ever was, that of a customer called Nobody."
        in auditor.get(page("audit_figures", query="?customer=Nobody")).words
    )
    assert "Acme Water" in auditor.get(page("audit_figures", query="?customer=Acme Water&months=24")).html


def test_a_chart_is_drawn_to_scale() -> None:
    drawn = chart(["a", "b"], [("active", [3, 0]), ("lost", [1, 2])], [("allowed", [5, 5])])
    first, second, third = drawn.bars
    assert first.height == pytest.approx(3 * second.height, abs=0.2)
    assert third.height == pytest.approx(2 * second.height, abs=0.2)
    assert first.y == pytest.approx(second.y + second.height, abs=0.2)
    assert [label for _, label in drawn.ticks] == ["0", "1", "2", "3", "4", "5"]
    assert all(bar.y >= 0 and bar.y + bar.height <= HEIGHT for bar in drawn.bars)
    assert chart(["a"], [("active", [0])]).bars == ()


@pytest.mark.parametrize(("most", "top"), [(1, 1), (7, 8), (1234, 1250), (99_999, 100_000)])
def test_an_axis_ends_at_a_round_number_above_all(most: int, top: int) -> None:
    assert chart(["a"], [("active", [most])]).ticks[-1][1] == f"{top:,}"


def test_the_check_runs_and_shows_when_it_last_passed(auditor: Browser) -> None:
    address = page("audit_check")
    assert "never checked from here" in auditor.get(address).words
    form = auditor.get(address).form()
    asked = auditor.post(address, form.fields)
    assert "A check waits for its turn" in asked.words
    assert Job.objects.get().asked_by == "auditor"

    run_jobs_job()
    assert "Everything holds" in auditor.get(address).words
    passed_at = Job.objects.get().ended_at

    License.objects.update(allowed=9)
    auditor.post(address, form.fields)
    run_jobs_job()
    broken = auditor.get(address).words
    assert "The ledger does not hold" in broken
    assert f"It last passed on {passed_at:%Y-%m-%d %H:%M} UTC" in broken
    assert "allowed" in broken


def test_a_check_can_be_cancelled_by_who_asked(auditor: Browser) -> None:
    address = page("audit_check")
    form = auditor.get(address).form()
    auditor.post(address, form.fields)
    other = signed_in("administrator")
    assert "Cancel this check" not in other.get(address).words
    refused = other.post(address, {**other.get(page("audit_as_of")).forms[0].fields, **form.fields, "cancel": "1"})
    assert Job.objects.get().state == "queued" or refused.status == 403

    cancelled = auditor.post(address, {**form.fields, "cancel": str(Job.objects.get().pk)})

    assert "The check was cancelled" in cancelled.words
    assert Job.objects.get().state == "cancelled"


def test_pages_ask_the_same_number_of_questions_however_much_there_is(
    auditor: Browser, license: LicenseCreated
) -> None:
    def queries(address: str) -> int:
        auditor.get(address)
        with CaptureQueriesContext(
            connection,
        ) as caught:
            auditor.get(address)
        return len(caught)

    addresses = [page(name) for name in ("audit_as_of", "audit_standing_out", "audit_decisions", "audit_figures")]
    before = [queries(address) for address in addresses]
    for number in range(2):
        chariot = Chariot(license.license_key, host(f"more-{number}"))
        chariot.install(answered(chariot.request()))
        answered(chariot.request())
    assert [queries(address) for address in addresses] == before


def test_the_ledger_is_searched_by_customer_license_and_reason(auditor: Browser, activation: Activation) -> None:
    other = make_license(customer="Beta Mills")
    address = page("activations_ledgerentry_changelist")

    def chains(query: str) -> set[str]:
        return set(re.findall("LIC-[0-9A-Z-]+|portal", auditor.get(f"{address}?q={query}").table("result_list")))

    assert chains("beta") == {other.license_id}
    assert chains("Acme Water") == {activation.license.license_id}
    assert chains("portal") == {"portal"}
    assert chains(activation.license.license_id.lower()) == {activation.license.license_id}
    assert "flooded in spring" in auditor.get(f"{address}?q=in spring").words
    assert chains("nobody ever said") == set()


def test_a_page_of_the_ledger_counts_no_further_than_it_must(auditor: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    address = page("activations_ledgerentry_changelist")
    assert "Export more than" not in auditor.get(address).words
    monkeypatch.setattr(paging, "MOST_COUNTED", 3)
    with CaptureQueriesContext(connection) as caught:
        told = auditor.get(address).words
    assert "Export more than 3 rows" in told
    counts = [query["sql"] for query in caught.captured_queries if "COUNT(" in query["sql"]]
    assert counts
    assert all("LIMIT 4" in sql for sql in counts if "ledgerentry" in sql)


def test_the_start_page_tells_an_auditor_what_is_wrong_with_the_ledger(
    auditor: Browser, settings: Any, tmp_path: Path
) -> None:
    home = reverse("admin:index")
    assert "It was not checked yet." in auditor.get(home).words
    verify_ledger_job()
    run_jobs_job()
    assert "It last passed its check" in auditor.get(home).words

    settings.LEDGER_WITNESSES = [f"file://{tmp_path}/gone"]
    assert isinstance(checkpoint_ledger(actor=ADMINISTRATOR), CheckpointMade)
    send_checkpoints_job()
    License.objects.update(allowed=9)
    verify_ledger_job()
    run_jobs_job()
    told = auditor.get(home).words
    assert "The ledger does not hold 1 problem found" in told
    assert f"Witness file://{tmp_path}/gone" in told
    assert "there is no folder" in told.lower()
    assert "none yet" in auditor.get(page("audit_check")).words
    assert "Witness" not in signed_in("agent").get(home).words
