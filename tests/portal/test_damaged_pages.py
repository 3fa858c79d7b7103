"""An entry that somebody damaged past the triggers: what an auditor opens for it still opens, and says so."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from activations.models import LedgerEntry, License
from activations.models.rules import Event
from activations.services.exports import Exported, export_ledger
from activations.services.licenses import LicenseCreated
from tests.portal.cast import AUDITOR, SOURCE
from tests.portal.tampering import unguarded
from tests.portal.web import Browser

SAID = "This entry does not say what its kind must say"


@pytest.mark.parametrize("body", ["junk", "{}", '{"data":{}}', '{"data":[]}', "[]", "null", ""])
def test_a_damaged_entry_is_shown_as_one(license: LicenseCreated, sign_in: Callable[[str], Browser], body: str) -> None:
    entry = LedgerEntry.objects.get(chain=license.license_id, seq=1)
    with unguarded(Event.UPDATE):
        LedgerEntry.objects.filter(pk=entry.pk).update(body=body)
    auditor = sign_in("auditor")
    ledger = "/admin/activations/ledgerentry/"
    row = License.objects.get(license_id=license.license_id).pk
    for page in (
        f"{ledger}?q={license.license_id}",
        f"{ledger}{entry.pk}/change/",
        f"/admin/activations/license/{row}/change/",
    ):
        shown = auditor.get(page)
        assert shown.status == 200, page
        assert SAID in shown.words, page
    for page in (ledger, "/admin/audit/decisions/", "/admin/audit/standing-out/", "/admin/"):
        assert auditor.get(page).status == 200, page


@pytest.mark.parametrize("body", ["junk", "{}", "[]"])
def test_a_damaged_entry_stands_in_the_csv_as_it_is(license: LicenseCreated, body: str) -> None:
    with unguarded(Event.UPDATE):
        LedgerEntry.objects.filter(chain=license.license_id).update(body=body)
    out = io.StringIO()
    written = export_ledger(out=out, format="csv", actor=AUDITOR, source=SOURCE)
    assert isinstance(written, Exported), written
    lines = out.getvalue().splitlines()
    assert len(lines) == written.entries + 1
    assert sum(f",{body}," in line for line in lines) == 1
