"""From a customer's mailbox to an agent's browser and back, through the processes of production: web, worker and beat
on Redis and PostgreSQL, a real IMAP server and a real SMTP server; and a hostile mail on the same way.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page
from redis import Redis

from tests.mailroom.imap import ImapServer
from tests.mailroom.letters import CUSTOMER
from tests.mailroom_web.hostile import EVE, PAGE, SVG
from tests.ops.processes import answer, free_port, started, until
from tests.system.browsing import PASSWORD, sign_in
from tests.system.chariot import Host
from tests.system.conftest import postgres_database
from tests.system.letterbox import Correspondent, Elsewhere, delivering
from tests.system.mailing import MailPortal, wait_until
from tests.system.portal import Portal

SUPPORT = "licensing@portal.example"
PATIENCE = 120  # seconds
MAKE_CONTACT = """
from activations.models import Contact, License
customer = License.objects.get(license_id="{license_id}").customer
Contact.objects.create(customer=customer, name="Ada", email="{address}")
"""


@dataclass(frozen=True)
class Office:
    """A portal at work, and whoever writes to it."""

    portal: MailPortal
    address: str
    license_id: str
    license_key: str
    ada: Correspondent
    eve: Correspondent
    logs: tuple[Path, ...]

    def log(self) -> str:
        return "\n".join(log.read_text(errors="replace")[-3000:] for log in self.logs)

    def wait_for_mails(self, count: int) -> None:
        """Until beat had so many mails fetched, and they are read."""
        read = "SELECT count(*) FROM activations_incomingmail WHERE state = 'read'"
        what = f"{count} mails are fetched and read"
        wait_until(lambda: self.portal.rows(read) == [(count,)], what, self.log, seconds=PATIENCE)

    def wait_for_answers(self, to: Correspondent, count: int) -> EmailMessage:
        """The last of so many mails in a mailbox, once they are there and the portal knows that they went."""
        going = "SELECT count(*) FROM activations_outgoingmail WHERE state <> 'sent'"
        wait_until(
            lambda: len(to.received()) == count and self.portal.rows(going) == [(0,)],
            f"{count} mails for {to.address}",
            self.log,
            seconds=PATIENCE,
        )
        return to.messages()[-1]

    def ledger(self) -> list[tuple[int, str, str]]:
        found = self.portal.rows(
            f"SELECT seq, actor, kind FROM activations_ledgerentry WHERE chain = '{self.license_id}' ORDER BY seq"
        )
        return [(int(seq), str(actor), str(kind)) for seq, actor, kind in found]


@pytest.fixture(scope="module")
def office(
    postgres_url: str,
    migrated_postgres: str,
    redis_url: str,
    worker_id: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    support = ImapServer.at(os.environ["TEST_IMAP_URL"])
    mailboxes = {SUPPORT: support, CUSTOMER: support.another_user(), EVE: support.another_user()}
    broker = urlsplit(redis_url)._replace(path="/13" if worker_id == "gw1" else "/12").geturl()
    Redis.from_url(broker).flushdb()
    with ExitStack() as stack:
        url = stack.enter_context(postgres_database(postgres_url, migrated_postgres))
        smtp = stack.enter_context(delivering(mailboxes))
        made = Portal("postgresql", url, folder / "var")
        variables = {"REDIS_URL": broker, "IMAP_URLS": support.url, "EMAIL_URL": smtp.url}
        variables["DEFAULT_FROM_EMAIL"] = f"Licensing Support <{SUPPORT}>"
        portal = stack.enter_context(closing(MailPortal.of(made, **variables)))
        license_id, license_key = _furnished(portal)
        address, logs = _at_work(portal, folder, stack)
        ada, eve = (Correspondent(each, mailboxes[each], smtp) for each in (CUSTOMER, EVE))
        yield Office(portal, address, license_id, license_key, ada, eve, logs)


def _furnished(portal: MailPortal) -> tuple[str, str]:
    """Staff, keys, and a license for two servers, whose customer has one contact."""
    for name, role in (("agent", "support-agent"), ("manager", "license-manager")):
        portal.manage("create_staff", name, "--role", role, "--password", PASSWORD)
    portal.manage("signing_key", "create-root")
    portal.manage("signing_key", "issue")
    made = portal.manage(
        *("create_license", "--customer", "Acme Water", "--allowed", "2"),
        *("--feature", "mqtt-server", "--actor", "manager"),
    )
    portal.python(MAKE_CONTACT.format(license_id=made["license_id"], address=CUSTOMER))
    return str(made["license_id"]), str(made["license_key"])


def _at_work(portal: MailPortal, folder: Path, stack: ExitStack) -> tuple[str, tuple[Path, ...]]:
    """Starts web, worker and beat; the address of the first, and their logs."""
    port, celery = free_port(), [sys.executable, "-m", "celery", "-A", "licensing_portal"]
    web = [sys.executable, "-m", "gunicorn", "licensing_portal.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
    quick = {**portal.env, "DJANGO_SETTINGS_MODULE": "tests.system.quick_settings"}
    logs = tuple(folder / f"{name}.log" for name in ("web", "worker", "beat"))
    stack.enter_context(started(web, portal.env, logs[0]))
    stack.enter_context(started([*celery, "worker", "--concurrency", "2", "-l", "INFO"], portal.env, logs[1]))
    stack.enter_context(started([*celery, "beat", "-l", "INFO"], quick, logs[2]))
    address = f"http://127.0.0.1:{port}"
    until(lambda: (answer(f"{address}/healthz") or (0, ""))[0] == 200, "the portal's answer", logs[0])
    return address, logs


@contextmanager
def watched(browser: Browser, address: str) -> Iterator[tuple[Page, list[str]]]:
    """A page, and every address that the browser asked for. Fails at the end if the browser complained."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=address)
    asked: list[str] = []
    complaints: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"a dialog: {dialog.message}"))
    yield page, asked
    assert complaints == []
    context.close()


def mail(sender: str, subject: str, body: str, message_id: str, answers: EmailMessage | None = None) -> EmailMessage:
    """As a mail program writes it; `answers` is the mail that it answers."""
    made = EmailMessage(policy=SMTP)
    made["From"], made["To"], made["Subject"] = sender, SUPPORT, subject
    made["Date"], made["Message-ID"] = format_datetime(timezone.now()), f"<{message_id}>"
    if answers is not None:
        made["In-Reply-To"] = answers["Message-ID"]
        made["References"] = f"{answers['References']} {answers['Message-ID']}"
    made.set_content(body)
    return made


def texts_of(message: EmailMessage) -> tuple[str, str]:
    """What stands in an answer, and its one file."""
    inline = message.get_body(("plain",))
    (file,) = message.iter_attachments()
    assert inline is not None
    assert file.get_content_disposition() == "attachment"
    assert re.fullmatch(r"USL-\S+\.txt", file.get_filename() or "")
    return inline.get_content().replace("\r\n", "\n"), file.get_content().replace("\r\n", "\n")


def open_inbox(page: Page) -> None:
    for name in ("Desk", "Inbox"):
        page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()
    assert page.locator("h1").inner_text() == "Inbox"


def confirm(page: Page, title: str, seats: str) -> None:
    """From a conversation that is claimed: opens its newest finding, looks at the dry run and confirms it."""
    page.get_by_role("button", name=re.compile("^Open")).last.click()
    assert page.locator("h1").inner_text() == title
    assert seats in page.locator(".seats-words").inner_text()
    group = page.locator("form.confirm").get_by_role("group", name="Reply goes to")
    assert group.get_by_role("radio", checked=True).get_attribute("value") == CUSTOMER
    assert group.get_by_role("checkbox").count() == 0
    page.get_by_role("button", name="Issue the Usage License").click()
    assert page.locator("h1").inner_text() == "Usage License issued"
    assert f"The reply is queued for {CUSTOMER}." in page.locator("main, #content").first.inner_text()


def test_a_mailed_request_is_answered_from_a_browser_and_installed(
    office: Office, browser: Browser, tmp_path: Path
) -> None:
    pump = Host(tmp_path / "pump-house", "pump-house", office.portal.var / "trust-root.pem")
    request = pump.request(office.license_key)
    body = f"Hello,\n\nplease activate our pump house:\n\n{request}\nKind regards\nAda\n"
    first = mail(f"Ada <{CUSTOMER}>", "Activation: pump house", body, "first@acme-water.example")
    office.ada.send(first.as_bytes(), SUPPORT)
    office.wait_for_mails(1)
    assert office.ledger() == [(1, "manager", "license.created")], "a dry run books nothing"

    with watched(browser, office.address) as (page, _):
        sign_in(page)
        conversation = _claimed_in_the_inbox(page)
        confirm(page, "New activation", "1 of 2 afterwards")
        sent = office.wait_for_answers(office.ada, 1)
        assert sent["In-Reply-To"] == sent["References"] == "<first@acme-water.example>"
        assert re.fullmatch(r"Re: Activation: pump house \[CL-[0-9A-Z]{8}\]", sent["Subject"])
        assert (sent["From"], sent["To"]) == (f"Licensing Support <{SUPPORT}>", CUSTOMER)
        status = _installed_from_each(pump, sent, tmp_path)
        assert status["license_id"] == office.license_id
        assert office.ledger()[1:] == [
            (2, "agent", "request.received"),
            (3, "agent", "activation.created"),
            (4, "agent", "usage_license.issued"),
        ]
        page.goto(conversation)
        answered = page.get_by_role("article").filter(has_text=f"We to {CUSTOMER}")
        assert answered.locator(".badge").inner_text().lower() == "sent"
        assert page.locator(".page-head .badge").inner_text() == "waits for the customer"

        _asks_for_an_update(office, pump, sent)
        page.goto(conversation)
        assert page.locator("article.mail-in").count() == 2, "it joined the conversation"
        assert page.locator(".page-head .badge").inner_text() == "waits for us"
        confirm(page, "Update of the same activation", "1 of 2")
    _updated(office, pump, sent, status)


def _claimed_in_the_inbox(page: Page) -> str:
    """Finds the mail in the inbox, reads what was found in it, claims its conversation; where that is."""
    open_inbox(page)
    row = page.get_by_role("row").filter(has_text="Activation: pump house")
    assert "1 Usage Request: new activation" in row.inner_text()
    assert "Acme Water" in row.inner_text()
    row.get_by_role("link", name="Activation: pump house").click()
    page.get_by_role("button", name="Claim").click()
    page.get_by_text("claimed by you").wait_for()
    return page.url


def _installed_from_each(host: Host, sent: EmailMessage, folder: Path) -> dict[str, Any]:
    """Installs the file on a copy of the host's Chariot, and the text of the mail on the host itself; its status."""
    inline, file = texts_of(sent)
    assert file.strip() in inline
    copy = Host(folder / "by-file", host.name, host.trust_root)
    shutil.copytree(host.folder, copy.folder)
    copy.run("install", given=file)
    host.run("install", given=inline)
    by_file, status = copy.run("status"), host.run("status")
    assert by_file["state"] == status["state"] == "active"
    assert by_file["activation_id"] == status["activation_id"]
    return status


def _asks_for_an_update(office: Office, host: Host, sent: EmailMessage) -> None:
    """The customer answers our mail, above what it says, with the newest request of the same Chariot."""
    quoted = "".join(f"> {line}\n" for line in texts_of(sent)[0].splitlines())
    body = f"It runs. Here is its newest request:\n\n{host.request(office.license_key)}\n{quoted}"
    update = mail(f"Ada <{CUSTOMER}>", f"Re: {sent['Subject']}", body, "second@acme-water.example", answers=sent)
    office.ada.send(update.as_bytes(), SUPPORT)
    office.wait_for_mails(2)


def _updated(office: Office, host: Host, sent: EmailMessage, status: dict[str, Any]) -> None:
    """The second answer is in the thread, and what it brings takes no other seat."""
    again = office.wait_for_answers(office.ada, 2)
    assert again["In-Reply-To"] == "<second@acme-water.example>"
    assert again["References"].split() == ["<first@acme-water.example>", sent["Message-ID"], again["In-Reply-To"]]
    assert again["Subject"] == sent["Subject"]
    newer, newer_file = texts_of(again)
    assert newer_file != texts_of(sent)[1]
    host.run("install", given=newer)
    updated = host.run("status")
    assert (updated["state"], updated["activation_id"]) == ("active", status["activation_id"])
    assert office.ledger()[4:] == [
        (5, "agent", "request.received"),
        (6, "agent", "activation.updated"),
        (7, "agent", "usage_license.issued"),
    ]
    assert office.portal.rows("SELECT count(*) FROM activations_activation WHERE seat_id IS NOT NULL") == [(1,)]
    assert office.portal.rows("SELECT count(*) FROM activations_conversation") == [(1,)]


# --- a hostile mail on the same way ------------------------------------------------------------------------


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    with closing(Elsewhere()) as server:
        yield server


def _pointing_to(elsewhere: Elsewhere, text: str) -> str:
    return text.replace("http://evil.example", elsewhere.address).replace("http://fetch.example", elsewhere.address)


def hostile(elsewhere: Elsewhere) -> bytes:
    """A page that loads, runs and posts in every way, and files that would; all of it from a server that notes it."""
    subject = "=?utf-8?q?Pump=0D=0ABcc=3A_ada@acme-water.example=0D=0A=0D=0AHello?="
    made = mail(f'"<script>document.title=1</script>" <{EVE}>', "Pump", "", "eve@evil.example")
    del made["Subject"]
    made.set_content(_pointing_to(elsewhere, PAGE), subtype="html")
    for text, kind, name in ((SVG, "svg+xml", "plan.svg"), (PAGE, "html", "page\u202elmth.html")):
        data = _pointing_to(elsewhere, text).encode()
        made.add_attachment(data, maintype="image" if "svg" in kind else "text", subtype=kind, filename=name)
    return f"Subject: {subject}\r\n".encode() + made.as_bytes()


def test_a_hostile_mail_neither_runs_nor_fetches_anything_in_a_browser(
    office: Office, browser: Browser, elsewhere: Elsewhere
) -> None:
    before = office.portal.rows("SELECT count(*) FROM activations_incomingmail")[0][0]
    booked = office.portal.rows("SELECT count(*) FROM activations_ledgerentry")
    office.eve.send(hostile(elsewhere), SUPPORT)
    office.wait_for_mails(before + 1)

    with watched(browser, office.address) as (page, asked):
        sign_in(page)
        open_inbox(page)
        page.get_by_role("link", name=re.compile("^Pump Bcc")).click()
        shown = page.locator("article.mail-in")
        for words in ("Please look at our pump.", "onerror='window.ran = 1'>", "<script>document.title=1</script>"):
            assert words in shown.inner_text()
        made_of = "img, script, style, link, meta, base, iframe, object, embed, svg, video, input"
        assert shown.locator(made_of).count() == 0
        assert page.title().startswith("Pump Bcc: ada@acme-water.example Hello")
        _files_are_saved_and_not_shown(page)
        _answered_after_a_tick(page)
        reply = office.wait_for_answers(office.eve, 1)
        foreign = [url for url in asked if not url.startswith(f"{office.address}/")]
        _the_policy_stops_what_gets_into_a_page(page.context, page.url, elsewhere)

    assert foreign == []
    assert elsewhere.asked == []
    with urllib.request.urlopen(f"{elsewhere.address}/reachable") as reached:  # noqa: S310  # the server above
        assert reached.status == 204
    assert elsewhere.asked == ["/reachable"]
    assert "Bcc" not in reply
    assert reply["To"] == EVE
    assert len([each for each in office.ada.messages() if "Hello, who are you?" in str(each)]) == 0
    assert office.portal.rows("SELECT count(*) FROM activations_ledgerentry") == booked


def _files_are_saved_and_not_shown(page: Page) -> None:
    here = page.url
    for name in ("plan.svg", "pagelmth.html"):
        link = page.get_by_role("link", name=name)
        target = link.get_attribute("href")
        with page.expect_download() as saved:
            page.evaluate("address => { location = address }", target)  # as if the link had no `download`
        assert saved.value.suggested_filename == name
        assert page.url == here


def _answered_after_a_tick(page: Page) -> None:
    form = page.locator("#own-words")
    form.get_by_label("Reply", exact=False).first.fill("Hello, who are you?")
    form.get_by_role("button", name="Send this reply").click()
    assert "Tick the box" in page.get_by_role("alert").inner_text()
    form.get_by_role("checkbox").first.check()
    form.get_by_role("button", name="Send this reply").click()
    page.get_by_text(f"The reply is queued for {EVE}.").wait_for()


def _the_policy_stops_what_gets_into_a_page(context: BrowserContext, address: str, elsewhere: Elsewhere) -> None:
    """Should words of a mail ever become part of a page: the browser itself refuses to load and to run them."""
    page = context.new_page()
    page.goto(address)
    refused = page.evaluate(
        """address => new Promise(done => {
            const refused = [];
            setTimeout(() => done(refused.sort()), 20000);  // only where something is not refused
            document.addEventListener("securitypolicyviolation", event => {
                refused.push(event.effectiveDirective);
                if (refused.length === 3) done(refused.sort());
            });
            document.body.insertAdjacentHTML("beforeend", `<img src="${address}/a.png" onerror="window.ran = true">`);
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
        })""",
        elsewhere.address,
    )
    assert refused == ["img-src", "script-src-attr", "script-src-elem"]
    assert page.evaluate("window.ran") is None
    page.close()
