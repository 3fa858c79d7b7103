"""What the browser tests of a license manager's and a lead's pages stand on: licenses, hosts, cases, the ledger."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from playwright.sync_api import Page

from tests.system.browsing import press, wait_for_focus
from tests.system.portal import Portal

SOLD = """
import json
from activations.models import Contact, Customer, License
from activations.services.losses import approve_restoration, mark_lost, request_restoration
from activations.models import Activation
from tests.portal.cast import AGENT, SECOND_LEAD, answered, make_license
from tests.portal.chariot import Chariot, host

def lost(key, name):
    answered(Chariot(key, host(name)).request())
    named = Activation.objects.get(hostname=name).activation_id
    mark_lost(activation_id=named, actor=AGENT, source="desk", reason="The flood took it.")
    case = request_restoration(activation_id=named, actor=AGENT, source="desk", reason="They write of a flood.")
    return case.restoration_id

water, mill = make_license(allowed=4, customer="Acme Water"), make_license(allowed=4, customer="Northern Paper Mill")
Contact.objects.create(customer=Customer.objects.get(name="Acme Water"), email="plant@acme-water.example")
for name in ("pump-house", "filter-hall"):
    answered(Chariot(water.license_key, host(name)).request())
cases = [lost(mill.license_key, name) for name in ("boiler", "dryer", "winder", "press")]
for case in cases[:2]:
    approve_restoration(restoration_id=case, actor=SECOND_LEAD, source="desk", reason="Photos seen.")
pk = lambda made: License.objects.get(license_id=made.license_id).pk
print(json.dumps({"water": [pk(water), water.license_id], "mill": [pk(mill), mill.license_id], "cases": cases}))
"""


class Sold(NamedTuple):
    """A license: the key of its row, and its License ID, which names its chain in the ledger."""

    pk: int
    license_id: str

    @property
    def page(self) -> str:
        return f"/admin/activations/license/{self.pk}/change/"


class Booked(NamedTuple):
    actor: str
    kind: str
    reason: str
    data: dict[str, Any]

    @property
    def said(self) -> tuple[str, str, str]:
        return self.actor, self.kind, self.reason


@dataclass(frozen=True)
class Office:
    """A served portal. `water` has two active hosts; of `mill` two restorations are approved, all that its quota
    allows, and the last two of `cases`, named by their case ids, are open.
    """

    portal: Portal
    address: str
    water: Sold
    mill: Sold
    cases: list[str]

    def new_license(self, customer: str) -> Sold:
        """One that a single test changes."""
        code = "from tests.portal.cast import license_row, make_license\n"
        code += f"made = license_row(make_license(customer={customer!r}).license_id)\n"
        pk, license_id = self.portal.python(f"{code}print(made.pk, made.license_id)").split()
        return Sold(int(pk), license_id)

    def of_customer(self, customer: str) -> list[Sold]:
        code = f"from activations.models import License\nfound = License.objects.filter(customer__name={customer!r})\n"
        told = self.portal.python(f"{code}for row in found.order_by('pk'): print(row.pk, row.license_id)")
        return [Sold(int(pk), license_id) for pk, license_id in (line.split() for line in told.splitlines())]

    def key_of(self, sold: Sold) -> str:
        """The License Key that the portal keeps now."""
        code = "from activations.services.licenses import license_key\nfrom tests.portal.cast import license_row\n"
        return self.portal.python(f"{code}print(license_key(license_row({sold.license_id!r})).text)").strip()

    def case_page(self, case: str) -> str:
        code = "from activations.models import Restoration\n"
        pk = self.portal.python(f"{code}print(Restoration.objects.get(restoration_id={case!r}).pk)").strip()
        return f"/admin/activations/restoration/{pk}/change/"

    def ledger(self, chain: str, *, after: int = 0) -> list[Booked]:
        """What a chain says, in order, from the entry after `after`."""
        code = f"from activations.models import LedgerEntry\nfound = LedgerEntry.objects.filter(chain={chain!r})\n"
        told = self.portal.python(f"{code}for row in found.filter(seq__gt={after}).order_by('seq'): print(row.body)")
        bodies = [json.loads(line) for line in told.splitlines()]
        return [Booked(body["actor"], body["kind"], body["reason"], body["data"]) for body in bodies]


def opened(portal: Portal, address: str) -> Office:
    made = json.loads(portal.python(SOLD))
    return Office(portal, address, Sold(*made["water"]), Sold(*made["mill"]), made["cases"])


def reach(page: Page, selector: str) -> None:
    """Presses Tab until the element has the focus."""
    for _ in range(90):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"the keyboard does not reach {selector}")


def reach_words(page: Page, words: str) -> None:
    """Presses Tab until the link or button that says just this has the focus."""
    for _ in range(90):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").strip() == words:
            return
    raise AssertionError(f"the keyboard does not reach {words!r}")


def follow(page: Page, words: str) -> None:
    reach_words(page, words)
    press(page, "Enter")


def overwrite(page: Page, words: str) -> None:
    """Types into the field that has the focus, in place of what is there."""
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(words)


def confirm(page: Page, reason: str) -> None:
    """Says why, in the field that has the focus already, and confirms."""
    wait_for_focus(page, "#id_reason")
    overwrite(page, reason)
    press(page, "Control+Enter")
