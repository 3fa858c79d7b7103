"""The inbox and a conversation's page: who sees what, who answers, what a mail may do to a page (nothing)."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from activations.domain.ledger import read_body
from activations.domain.words import ConversationState, OutgoingState, Priority
from activations.models import Conversation, ConversationNote, IncomingMail, LedgerEntry, OutgoingMail
from activations.services.licenses import LicenseCreated
from activations.services.post.conversations import claim_conversation
from tests.mailroom.letters import CUSTOMER, letter
from tests.mailroom_web.post import arrived, conversation, known, place
from tests.portal.cast import LEAD
from tests.portal.chariot import Chariot, host
from tests.portal.web import Browser

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Browser]


def test_a_mail_stands_in_the_tab_of_whose_turn_it_is(license: LicenseCreated, sign_in: SignIn) -> None:
    known(license.license_id)
    arrived(letter(Chariot(license.license_key, host("pump-house")).request()))
    agent, lead = sign_in("agent"), sign_in("lead")
    page = agent.get(place("inbox"))
    assert "Unassigned 1" in page.words
    assert "1 Usage Request: new activation" in page.words
    assert "Acme Water" in page.words
    here = place("inbox_conversation", conversation().pk)
    page = agent.get(here)
    page = agent.post(place("inbox_change", conversation().pk), {**_form(page), "do": "claim"})
    assert "claimed by you" in page.words
    assert "Mine 1" in agent.get(place("inbox")).words
    assert "Colleagues 1" in lead.get(place("inbox")).words
    agent.post(place("inbox_change", conversation().pk), {**_form(agent.get(here)), "do": "place:done"})
    page = agent.get(place("inbox") + "?tab=done")
    assert "Done 1" in page.words
    assert "Activation of our Chariot" in page.words
    assert conversation().state == ConversationState.DONE


def _form(page: object) -> dict[str, str]:
    return dict(page.form(place("inbox_change", conversation().pk)).fields)  # type: ignore[attr-defined]


def test_of_two_who_claim_one_gets_it_and_the_other_is_told(sign_in: SignIn, db: None) -> None:
    arrived(letter("Hello"))
    agent, lead = sign_in("agent"), sign_in("lead")
    here, change = place("inbox_conversation", conversation().pk), place("inbox_change", conversation().pk)
    seen_by_agent, seen_by_lead = agent.get(here), lead.get(here)
    lead.post(change, {**_form(seen_by_lead), "do": "claim"})
    page = agent.post(change, {**_form(seen_by_agent), "do": "claim"})
    assert "You were not the first: lead has claimed it" in page.words
    assert conversation().assigned_to == "lead"
    assert "Take over from lead" in page.words
    page = agent.post(change, {**_form(page), "do": "claim:lead"})
    assert conversation().assigned_to == "agent"
    page = lead.post(change, {**_form(seen_by_lead), "do": "release"})
    assert "not yours" in page.words
    assert conversation().assigned_to == "agent"


def test_priority_comes_before_age(sign_in: SignIn, db: None) -> None:
    for subject in ("first", "second", "third"):
        arrived(letter("Hello", subject=subject, sender=f"{subject}@one.example"))
    third = Conversation.objects.get(subject="third")
    agent = sign_in("agent")
    form = agent.get(place("inbox_conversation", third.pk)).form(place("inbox_change", third.pk))
    agent.post(form.action, {**form.fields, "do": f"rank:{Priority.URGENT.value}"})
    words = agent.get(place("inbox")).words
    assert words.index("third") < words.index("first") < words.index("second")
    agent.post(form.action, {**form.fields, "do": "rank:9"})
    third.refresh_from_db()
    assert third.priority == Priority.URGENT


def test_html_and_scripts_of_a_mail_are_words(sign_in: SignIn, db: None) -> None:
    evil = '<script>alert("x")</script><img src=http://evil.example/a.png onerror=alert(1)>'
    arrived(letter(evil, subject=f"Look {evil}", sender=f'"{evil[:20]}" <eve@evil.example>'))
    agent = sign_in("agent")
    for address in (place("inbox"), place("inbox_conversation", conversation().pk), place("index")):
        shown = agent.client.get(address).content.decode()  # not by `get`, which would take the words for a script
        assert "<script>alert" not in shown
        assert "<img" not in shown
        assert escape(evil) in shown
    kinds = agent.client.get(place("inbox")).headers["Content-Security-Policy"]
    assert "unsafe-inline" not in kinds


def test_the_page_warns_of_what_speaks_against_the_sender(license: LicenseCreated, sign_in: SignIn) -> None:
    text = Chariot(license.license_key, host("pump-house")).request()
    arrived(letter(text, sender="eve@evil.example", Reply_To="other@evil.example"))
    page = sign_in("agent").get(place("inbox_conversation", conversation().pk))
    assert "eve@evil.example is not a contact of this customer" in page.words
    assert "asks for answers to another address than it came from: other@evil.example" in page.words
    assert "The receiving server says nothing" in page.words
    assert "proved by a Usage Request" in page.words


def test_a_machines_mail_is_marked(sign_in: SignIn, db: None) -> None:
    arrived(letter("I am away", Auto_Submitted="auto-replied"))
    assert "written by a machine" in sign_in("agent").get(place("inbox_conversation", conversation().pk)).words


def test_notes_are_kept_once(sign_in: SignIn, db: None) -> None:
    arrived(letter("Hello"))
    agent = sign_in("agent")
    form = agent.get(place("inbox_conversation", conversation().pk)).form(place("inbox_note", conversation().pk))
    for _ in range(2):
        page = agent.post(form.action, {**form.fields, "note": "Called them."})
    assert "Called them." in page.words
    assert ConversationNote.objects.count() == 1
    page = agent.post(form.action, {**page.form(form.action).fields, "note": "x" * 4001})
    assert "Shorten it" in page.words
    assert ConversationNote.objects.count() == 1


def test_a_search_finds_by_address_and_subject_and_takes_no_key(license: LicenseCreated, sign_in: SignIn) -> None:
    arrived(letter("Hello", subject="Broken pump", sender="pump@one.example"))
    arrived(letter("Hello", subject="Something else", sender="else@two.example"))
    agent = sign_in("agent")
    form = agent.get(place("inbox")).form("")
    for words in ("pump@one", "broken"):
        page = agent.post(place("inbox"), {**form.fields, "q": words})
        assert "Broken pump" in page.words
        assert "Something else" not in page.words
    page = agent.post(place("inbox"), {**form.fields, "q": license.license_key})
    assert all(license.license_key not in target for target in page.redirects)
    assert "not searched for" in page.words


def test_the_inbox_takes_as_many_queries_for_much_as_for_little(license: LicenseCreated, sign_in: SignIn) -> None:
    agent = sign_in("agent")

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            agent.get(place("inbox"))
        return len(asked)

    arrived(letter(Chariot(license.license_key, host("pump-house")).request(), sender="a0@acme-water.example"))
    few = queries()
    for number in range(1, 8):
        text = Chariot(license.license_key, host(f"host-{number}")).request()
        arrived(letter(f"{text}\n", subject=f"Mail {number}", sender=f"a{number}@other-{number}.example"))
    assert Conversation.objects.count() == 8
    assert queries() == few <= 10


def test_more_than_a_page_is_paged(sign_in: SignIn, db: None) -> None:
    arrived(letter("Hello"))
    first = conversation()
    Conversation.objects.bulk_create(
        Conversation(
            token=f"{number:08d}", subject=f"No {number}", created_at=first.created_at, latest_at=first.latest_at
        )
        for number in range(60)
    )
    agent = sign_in("agent")
    assert "Page 1 of 2" in agent.get(place("inbox")).words
    assert "Page 2 of 2" in agent.get(place("inbox") + "?tab=unassigned&p=2").words


def test_a_mail_that_somebody_brings(sign_in: SignIn, db: None) -> None:
    agent, source = sign_in("agent"), letter("Hello", subject="Sent to sales")
    form = agent.get(place("inbox")).form(place("inbox_bring"))
    for said in ("The mail is in the inbox.", "was on the desk already"):
        page = agent.post(form.action, {**form.fields, "mail": SimpleUploadedFile("a.eml", source)})
        assert said in page.words
        assert page.path == place("inbox_conversation", conversation().pk)
    assert IncomingMail.objects.get().mailbox == "brought by agent"
    page = agent.post(form.action, form.fields)
    assert "No file was chosen" in page.words


def test_a_mail_that_is_pasted_as_text(license: LicenseCreated, sign_in: SignIn) -> None:
    """It joins nothing by itself, but it is a mail like any other: dry run, warning, reply by the outbox."""
    agent, request = sign_in("agent"), Chariot(license.license_key, host("pump-house")).request()
    typed = {
        "mail_text": f"Dear Support,\n\n{request}\n\nAda",
        "sender": "ada@acme-water.example",
        "subject": "Pump\nX-Evil: 1",
    }
    for said in ("The mail is in the inbox.", "was on the desk already"):
        page = agent.get(place("inbox_paste"))
        page = agent.post(place("inbox_paste"), {**page.form().fields, **typed})
        assert said in page.words
        assert page.path == place("inbox_conversation", conversation().pk)
    mail = IncomingMail.objects.get()
    assert (mail.mailbox, mail.from_address, mail.subject) == (
        "pasted by agent",
        "ada@acme-water.example",
        "Pump X-Evil: 1",
    )
    assert [finding.kind for finding in mail.findings.all()] == ["usage-request"]
    assert "says nothing about the sender" in page.words


def test_a_mail_that_is_pasted_as_its_source_is_the_mail_that_may_be_here_already(sign_in: SignIn, db: None) -> None:
    source = letter("Hello", subject="Sent to sales")
    arrived(source)
    agent = sign_in("agent")
    form = agent.get(place("inbox_paste")).form()
    page = agent.post(place("inbox_paste"), {**form.fields, "mail_text": source.decode()})
    assert "was on the desk already" in page.words
    assert IncomingMail.objects.count() == 1


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"mail_text": "  "}, "Paste the mail"),
        ({"mail_text": "Note: we need help\n\nplease", "sender": ""}, "Say which address this mail came from"),
        ({"mail_text": "Help", "sender": "ada@"}, "Say which address this mail came from"),
    ],
)
def test_what_was_pasted_stays_in_the_form_until_it_is_taken(
    typed: dict[str, str], words: str, sign_in: SignIn, db: None
) -> None:
    agent = sign_in("agent")
    form = agent.get(place("inbox_paste")).form()
    page = agent.post(place("inbox_paste"), {**form.fields, **typed})
    assert words in page.words
    assert page.form().fields["mail_text"].strip() == typed["mail_text"].strip()
    assert not IncomingMail.objects.exists()


def test_the_auditor_reads_and_changes_nothing(sign_in: SignIn, db: None) -> None:
    mail = arrived(letter("Hello"))
    auditor, pk = sign_in("auditor"), conversation().pk
    page = auditor.get(place("inbox_conversation", pk))
    assert page.status == 200
    assert "Hello" in page.words
    assert [form for form in page.forms if form.action.startswith("/admin/inbox")] == []
    for name in ("inbox_change", "inbox_note", "inbox_write"):
        assert auditor.client.post(place(name, pk)).status_code == 403
    assert auditor.client.get(place("inbox_original", mail.pk)).status_code == 403


def test_files_are_downloads_and_the_original_is_for_those_who_see_keys(
    license: LicenseCreated, sign_in: SignIn
) -> None:
    message = EmailMessage()
    message["From"], message["Subject"], message["Message-ID"] = CUSTOMER, "Files", "<files@acme-water.example>"
    message.set_content("See the files")
    message.add_attachment("<script>alert(1)</script>", subtype="html", filename="page.html")
    message.add_attachment(f"our key: {license.license_key}", filename="key.txt")
    mail = arrived(message.as_bytes())
    agent = sign_in("agent").client
    page = sign_in("agent").get(place("inbox_conversation", mail.conversation_id))
    assert "page.html" in page.words
    before = LedgerEntry.objects.count()
    answer = agent.get(place("inbox_attachment", mail.pk, 1))
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="page.html"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert b"<script>alert(1)" in answer.content
    assert agent.get(place("inbox_attachment", mail.pk, 2)).status_code == 403
    assert agent.post(place("inbox_attachment", mail.pk, 2)).status_code == 403
    assert agent.get(place("inbox_original", mail.pk)).status_code == 403
    assert agent.get(place("inbox_attachment", mail.pk, 9)).status_code == 404
    assert LedgerEntry.objects.count() == before


def test_what_may_hold_a_key_is_handed_out_with_a_reason_and_booked(license: LicenseCreated, sign_in: SignIn) -> None:
    message = EmailMessage()
    message["From"], message["Subject"], message["Message-ID"] = CUSTOMER, "Files", "<files@acme-water.example>"
    message.set_content("See the file")
    message.add_attachment(f"our key: {license.license_key}", filename="key.txt")
    mail = arrived(message.as_bytes())
    lead = sign_in("lead")
    before = LedgerEntry.objects.count()
    for number, address in ((0, place("inbox_original", mail.pk)), (1, place("inbox_attachment", mail.pk, 1))):
        page = lead.get(address)
        assert "booked" in page.words
        form = page.form()
        refused = page.send(form)
        assert "Nothing was booked" in refused.words
        refused = page.send(form, reason=f"It says {license.license_key}")
        assert "holds a License Key" in refused.words
        assert LedgerEntry.objects.count() == before + number
        form = lead.get(address).form()
        answer = lead.client.post(address, {**form.fields, "reason": "The customer asks what they sent."})
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert license.license_key.encode() in answer.content
        assert (answer.content == message.as_bytes()) == (number == 0)
        entry = LedgerEntry.objects.order_by("-id")[0]
        said = read_body(entry.body).data
        assert (entry.chain, entry.kind, entry.actor) == ("portal", "mail.taken", "lead")
        assert entry.reason == "The customer asks what they sent."
        assert said == {
            "mail": mail.pk,
            "sha256": mail.source.sha256,
            "file": number,
            "conversation": conversation().token,
        }
        again = lead.client.post(address, {**form.fields, "reason": "The customer asks what they sent."})
        assert again.headers["Location"] == place("inbox_conversation", conversation().pk)
        assert LedgerEntry.objects.count() == before + number + 1
    words = lead.get(place("activations_ledgerentry_changelist")).words
    assert "Original of a mail handed out" in words


def test_a_reply_in_own_words_goes_out_once(license: LicenseCreated, sign_in: SignIn) -> None:
    known(license.license_id)
    arrived(letter("Hello"))
    agent, pk = sign_in("agent"), conversation().pk
    before = LedgerEntry.objects.count()
    page = agent.get(place("inbox_conversation", pk))
    form = page.form(place("inbox_write", pk))
    assert form.fields["to"] == CUSTOMER
    for _ in range(2):
        page = agent.post(form.action, {**form.fields, "body": "Which pump?\r\nPlease say."})
    sent = OutgoingMail.objects.get()
    assert (sent.body, sent.to_address, sent.reply, sent.queued_by) == (
        "Which pump?\nPlease say.\n",
        CUSTOMER,
        None,
        "agent",
    )
    assert (sent.state, conversation().state) == (OutgoingState.QUEUED, ConversationState.WAITING)
    assert LedgerEntry.objects.count() == before
    assert "Which pump?" in page.words


def test_a_reply_that_may_not_go_out(license: LicenseCreated, sign_in: SignIn) -> None:
    known(license.license_id)
    arrived(letter("Hello"))
    agent, pk = sign_in("agent"), conversation().pk
    form = agent.get(place("inbox_conversation", pk)).form(place("inbox_write", pk))
    for body, said in (
        ("", "empty"),
        (f"Use {license.license_key}", "License Key"),
        ("left\u202eright", "cannot be seen"),
        ("x" * 20_001, "Shorten it"),
    ):
        page = agent.post(form.action, {**form.fields, "body": body})
        assert said in page.words, said
    page = agent.post(form.action, {**form.fields, "body": "Hello", "to": "eve@evil.example"})
    assert "Choose the address" in page.words
    claim_conversation(conversation_pk=pk, actor=LEAD)
    page = agent.post(form.action, {**form.fields, "body": "Hello"})
    assert "lead has claimed this conversation" in page.words
    assert page.form(form.action).fields["body"].strip() == "Hello"
    assert not OutgoingMail.objects.exists()


def test_a_stranger_gets_a_reply_after_a_tick(sign_in: SignIn, db: None) -> None:
    arrived(letter("Hello"))
    agent, pk = sign_in("agent"), conversation().pk
    form = agent.get(place("inbox_conversation", pk)).form(place("inbox_write", pk))
    page = agent.post(form.action, {**form.fields, "body": "Who are you?"})
    assert "Tick the box" in page.words
    assert not OutgoingMail.objects.exists()
    agent.post(form.action, {**form.fields, "body": "Who are you?", "unknown": CUSTOMER})
    assert OutgoingMail.objects.get().to_address == CUSTOMER


def test_the_start_page_says_what_waits(sign_in: SignIn, db: None) -> None:
    mail = arrived(letter("Hello", subject="A broken pump"))
    OutgoingMail.objects.create(
        key="k",
        message_id="m@portal.example",
        to_address=CUSTOMER,
        subject="Lost on its way",
        body="x",
        queued_at=mail.fetched_at,
        queued_by="agent",
        next_attempt_at=mail.fetched_at,
        state=OutgoingState.UNKNOWN,
    )
    page = sign_in("agent").get(place("index"))
    assert "A broken pump" in page.words
    assert "Lost on its way" in page.words
    assert "A broken pump" not in sign_in("auditor").get(place("index")).words
