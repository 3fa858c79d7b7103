"""A portal in production with the mail servers around it: customers write to it, an agent answers in the web pages."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from chariot_license.protocol.block import Kind
from chariot_license.protocol.license import read_license
from chariot_license.protocol.reader import read_block
from cryptography import x509

from tests.mailroom.imap import ImapServer
from tests.mailroom.letters import letter
from tests.mailroom.smtp import Catcher
from tests.mailroom_web.post import place
from tests.ops.processes import free_port, production
from tests.portal.chariot import Chariot, host
from tests.portal.web import Page
from tests.system.mailing import wait_until
from tests.system.over_http import ServedBrowser
from tests.system.portal import Portal

HOST, PASSWORD = "licensing.example.com", "correct-battery-9"


@dataclass(frozen=True)
class ProductionPortal(Portal):
    environment: Mapping[str, str]

    @property
    def env(self) -> dict[str, str]:
        return {"DJANGO_SETTINGS_MODULE": "licensing_portal.settings", **self.environment}

    @property
    def port(self) -> int:
        return int(self.environment["PORT"])

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(sql.encode()).fetchall()


def production_env(var: Path, database: str, **variables: str) -> dict[str, str]:
    """For the processes of the Procfile, behind a proxy that speaks TLS."""
    return production(
        var,
        DATABASE_URL=database,
        ALLOWED_HOSTS=HOST,
        PORT=str(free_port()),
        PORTAL_BEHIND_TLS_PROXY="true",
        WEB_CONCURRENCY="1",
        DEFAULT_FROM_EMAIL="Licensing Support <licensing@portal.example>",
        PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        **variables,
    )


@contextmanager
def staffed_portal(env: Mapping[str, str]) -> Iterator[ProductionPortal]:
    """With an agent, a manager and keys, on a database that is migrated; its processes are the caller's to start."""
    with closing(ProductionPortal("postgresql", env["DATABASE_URL"], Path(env["PORTAL_VAR_DIR"]), env)) as portal:
        for name, role in (("agent", "support-agent"), ("manager", "license-manager")):
            portal.manage("create_staff", name, "--role", role, "--password", PASSWORD)
        for step in ("create-root", "issue"):
            portal.manage("signing_key", step)
        yield portal


def imaps_url(box: ImapServer, port: int) -> str:
    """As IMAP_URLS has it in production, where nothing goes unencrypted."""
    return f"imaps://{quote(box.user)}:{quote(box.password)}@127.0.0.1:{port}/INBOX"


class PostOffice:
    """What customers and the agent do, and what can be counted of it from outside."""

    def __init__(self, portal: ProductionPortal, smtp: Catcher, patience: float, log: Callable[[], str]) -> None:
        self.portal, self.smtp, self._patience, self._log = portal, smtp, patience, log
        made = portal.manage(
            *("create_license", "--customer", "Acme Water", "--allowed", "50"),
            *("--feature", "mqtt-server", "--actor", "manager"),
        )
        self.license_id, self._license_key = str(made["license_id"]), str(made["license_key"])
        self.chariots: dict[str, Chariot] = {}
        self.browser = ServedBrowser(portal.port, HOST, "agent", PASSWORD)

    def writes(self, name: str, box: ImapServer) -> None:
        """A customer mails a Usage Request of a new Chariot; `name` is its host and stands in the address."""
        self.chariots[name] = Chariot(self._license_key, host(name))
        source = letter(
            f"Please:\n\n{self.chariots[name].request()}\n", subject=f"Activation of {name}", sender=address(name)
        )
        box.deliver(source)

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        wait_until(holds, what, self._log, seconds=self._patience)

    def wait_on_desk(self, *names: str) -> None:
        self.wait(lambda: set(names) <= set(self.on_desk()), f"reading the mails of {', '.join(names)}")

    def on_desk(self) -> Counter[str]:
        """How often the mail of each name is on the desk, read."""
        rows = self.portal.rows("SELECT from_address FROM activations_incomingmail WHERE state = 'read'")
        return Counter(str(row[0]).partition("@")[0] for row in rows)

    def opened(self, name: str) -> Page:
        """The dry run of the request in the mail, with the button that books it."""
        ((conversation, finding),) = self.portal.rows(
            "SELECT mail.conversation_id, found.id FROM activations_incomingmail mail JOIN activations_finding found"
            f" ON found.mail_id = mail.id WHERE found.kind = 'usage-request' AND mail.from_address = '{address(name)}'"
        )
        page = self.browser.get(place("inbox_conversation", conversation))
        return page.send(page.form(place("inbox_open", finding)))

    def confirmed(self, page: Page, name: str) -> Page:
        return self.browser.confirm(page, unknown=address(name))

    def booked(self, page: Page, name: str) -> None:
        """Confirms until it is booked: when a seat was taken in between, the new dry run is shown."""
        for _ in range(3):
            page = self.confirmed(page, name)
            if f"The reply is queued for {address(name)}." in page.words or "booked already" in page.words:
                return
        raise AssertionError(page.words[:2000])

    def answered(self, name: str) -> None:
        """The agent opens the mail and books it; the reply is queued."""
        self.wait_on_desk(name)
        self.booked(self.opened(name), name)

    def home(self) -> str:
        return self.browser.get("/admin/").words

    def outgoing(self, name: str) -> list[tuple[str, int, str]]:
        """State, attempts and problem of each mail to the name, oldest first."""
        found = self.portal.rows(
            "SELECT state, attempts, problem FROM activations_outgoingmail"
            f" WHERE to_address = '{address(name)}' ORDER BY id"
        )
        return [(str(state), int(attempts), str(problem)) for state, attempts, problem in found]

    def is_sent(self, name: str) -> bool:
        return [state for state, _, _ in self.outgoing(name)][-1:] == ["sent"]

    def answers_its_request(self, name: str, text: str) -> bool:
        """Whether a mail's text holds a Usage License that the Chariot of this name would install."""
        roots = x509.load_pem_x509_certificates((self.portal.var / "trust-root.pem").read_bytes())
        license = read_license(read_block(text, Kind.LICENSE).data, roots)
        chariot = self.chariots[name]
        return (license.request_id, license.instance) == (chariot.pending, chariot.thumbprint)

    def received(self) -> Counter[str]:
        """How many mails each name has got."""
        return Counter(to.partition("@")[0] for tos in self.smtp.recipients for to in tos)


def address(name: str) -> str:
    return f"{name}@acme-water.example"
