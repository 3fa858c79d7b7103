"""All conversations as a list: filtered, kept as a view, handed out as a file like every other list."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest

from activations.models import Conversation, LedgerEntry, SavedFilter
from activations.services.licenses import LicenseCreated
from activations.services.post.conversations import claim_conversation
from tests.mailroom.letters import letter
from tests.mailroom_web.post import arrived, known, place
from tests.portal.cast import LEAD
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Browser]
LIST = "activations_conversation_changelist"


@pytest.fixture
def three(license: LicenseCreated) -> dict[str, Conversation]:
    known(license.license_id)
    text = Chariot(license.license_key, host("pump-house")).request()
    arrived(letter(text, subject="With a request"))
    arrived(letter("Hello", subject="=1+1", sender="eve@evil.example"))
    arrived(letter("Hello", subject="Of a lead", sender="bob@two.example"))
    found = {row.subject: row for row in Conversation.objects.all()}
    claim_conversation(conversation_pk=found["Of a lead"].pk, actor=LEAD)
    return found


def test_it_is_searched_filtered_and_leads_to_the_conversation(
    license: LicenseCreated, three: dict[str, Conversation], sign_in: SignIn
) -> None:
    agent = sign_in("agent")

    def subjects(**query: str) -> set[str]:
        page = agent.client.get(place(LIST), query)
        return {row.subject for row in page.context["cl"].result_list}

    assert subjects() == set(three)
    assert subjects(q=license.license_id.lower()) == {"With a request"}
    assert subjects(q="evil.example") == {"=1+1"}
    assert subjects(q=f"[CL-{three['Of a lead'].token.lower()}]") == {"Of a lead"}
    assert subjects(assigned_to="lead") == {"Of a lead"}
    assert subjects(state__exact="done") == set()
    here = place("activations_conversation_change", three["Of a lead"].pk)
    assert agent.get(here).path == place("inbox_conversation", three["Of a lead"].pk)
    assert place(LIST) in agent.get(place("inbox")).html


def test_it_is_exported_and_booked_and_nothing_in_it_runs(three: dict[str, Conversation], sign_in: SignIn) -> None:
    agent, before = sign_in("agent"), LedgerEntry.objects.count()
    page = agent.get(place(LIST) + "?o=-1")
    answer = agent.client.post(
        place("activations_conversation_export"),
        {**page.form(place("activations_conversation_export")).fields, "format": "csv"},
    )
    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    rows = {row["subject"]: row for row in csv.DictReader(io.StringIO(text))}
    assert set(rows) == {"With a request", "'=1+1", "Of a lead"}
    assert rows["With a request"]["customer"] == "Acme Water"
    assert rows["With a request"]["proved"] == "yes"
    assert rows["Of a lead"]["claimed by"] == "lead"
    assert rows["Of a lead"]["mark"] == f"CL-{three['Of a lead'].token}"
    assert LedgerEntry.objects.count() == before + 1
    assert LedgerEntry.objects.order_by("-id")[0].kind == "list.exported"


def test_a_view_of_it_is_kept(three: dict[str, Conversation], sign_in: SignIn) -> None:
    agent = sign_in("agent")
    page = agent.get(place(LIST) + "?state__exact=open&priority__exact=0")
    page = page.send(page.form(place("activations_conversation_save_view")), name="What is open")
    assert "The view What is open is saved." in page.words
    assert SavedFilter.objects.get().page == "activations.conversation"
    assert "What is open" in agent.get(place(LIST)).words
