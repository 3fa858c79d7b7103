"""The same Usage Request, mailed again and again and at the same moment: one activation, one Usage License."""

from __future__ import annotations

import json
from collections import Counter

from tests.system.portal import Portal
from tests.system.requests import from_new_hosts

PROCESSES, TIMES = 10, 10
COUNTED = """
import json
from activations.models import Activation, LedgerEntry, UsageLicense, UsageRequest
kinds = list(LedgerEntry.objects.filter(chain__startswith="LIC").order_by("seq").values_list("actor", "kind", "reason"))
tables = [model.objects.count() for model in (UsageRequest, Activation, UsageLicense)]
print(json.dumps({"kinds": kinds, "tables": tables}))
"""


def test_asked_a_hundred_times(portal: Portal) -> None:
    [key] = portal.sell(allowed=3)
    [text] = from_new_hosts(key, 1)

    found = portal.script("race", given=json.dumps([[text] * TIMES] * PROCESSES))

    results = [result for process in found for result in process]
    assert Counter(result["code"] for result in results) == {"activated": 1, "re-sent": PROCESSES * TIMES - 1}
    assert len({(result["activation_id"], result["sha256"]) for result in results}) == 1
    assert results[0]["sha256"] is not None
    counted = json.loads(portal.python(COUNTED))
    assert counted["tables"] == [1, 1, 1]
    assert counted["kinds"] == [
        ["manager", "license.created", ""],
        ["agent", "request.received", ""],
        ["agent", "activation.created", ""],
        ["agent", "usage_license.issued", ""],
        *[["agent", "usage_license.resent", ""]] * 99,
    ]
    assert portal.manage("verify_ledger", "--rebuild-check")["problems"] == []
