"""The whole story, the client's commands against the portal's, on each database.

A license for two servers is bought. Both are activated; one is upgraded; one is deactivated and its seat used again;
one is destroyed, lost, and restored by a second person, so that a third server can take its place.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.system.chariot import Host
from tests.system.portal import Portal

STAFF = {
    "agent": "support-agent",
    "lead": "support-lead",
    "manager": "license-manager",
}
LEDGER = """
import json
from activations.models import LedgerEntry
rows = LedgerEntry.objects.filter(chain="{license_id}").order_by("seq")
print(json.dumps(list(rows.values_list("actor", "kind", "reason"))))
"""


class Story:
    """The portal, its staff and the license that everything is about."""

    def __init__(self, portal: Portal, folder: Path) -> None:
        self.portal, self.folder = portal, folder
        for username, role in STAFF.items():
            portal.manage("create_staff", username, "--role", role)
        self.root = folder / "trust-root.pem"
        portal.manage("signing_key", "create-root", "--out", str(self.root))
        portal.manage("signing_key", "issue")
        bought = portal.manage(
            *("create_license", "--customer", "Acme Water", "--allowed", "2", "--actor", "manager"),
            *("--feature", "mqtt-server", "mqtt-server-support:2099-12-31"),
        )
        self.license_id, self.license_key = bought["license_id"], bought["license_key"]
        self.booked = [["manager", "license.created", ""]]

    def host(self, name: str) -> Host:
        return Host(self.folder / name, name, self.root)

    def issue(self, request: str, *more: str, exit_code: int = 0) -> dict[str, Any]:
        return self.portal.manage("issue_usage_license", "--actor", "agent", *more, given=request, exit_code=exit_code)

    def answer(self, host: Host) -> dict[str, Any]:
        """One round trip: request, answer, install."""
        answer = self.issue(host.request(self.license_key))
        host.run("install", given=answer["usage_license"])
        status = host.run("status")
        assert (status["state"], status["license_id"]) == ("active", self.license_id)
        assert status["activation_id"] == answer["activation_id"]
        return answer

    def books(self, *kinds: tuple[str, str] | tuple[str, str, str]) -> None:
        """Asserts that exactly these entries came since the last time: (actor, kind, reason)."""
        self.booked += [[*kind, ""] if len(kind) == 2 else list(kind) for kind in kinds]
        told = json.loads(self.portal.python(LEDGER.format(license_id=self.license_id)))
        assert told == self.booked


NEW = (("agent", "request.received"), ("agent", "activation.created"), ("agent", "usage_license.issued"))
UPDATE = (("agent", "request.received"), ("agent", "activation.updated"), ("agent", "usage_license.issued"))


def test_the_story(portal: Portal, tmp_path: Path) -> None:
    story = Story(portal, tmp_path)
    pump, press, spare = story.host("pump-house"), story.host("press"), story.host("spare")

    first = story.answer(pump)
    assert (first["seats_before"], first["seats_after"]) == (0, 1)
    story.books(*NEW)
    second = story.answer(press)
    assert (second["seats_before"], second["seats_after"]) == (1, 2)
    story.books(*NEW)

    upgraded(story, pump, first)
    deactivated_and_used_again(story, press, spare, second)
    destroyed_and_restored(story, pump, first)

    checked = portal.manage("verify_ledger", "--rebuild-check")
    assert (checked["problems"], checked["chains"]) == ([], 2)


def upgraded(story: Story, pump: Host, first: dict[str, Any]) -> None:
    """More features reach the host with a new round trip, which takes no seat."""
    changed = story.portal.manage(
        *("change_license", story.license_id, "--actor", "manager", "--reason", "order 4711"),
        *("--feature", "mqtt-server", "iot-bridge-snowflake", "mqtt-server-support:2099-12-31"),
    )
    assert changed["terms_revision"] == 2
    update = story.answer(pump)
    assert (update["code"], update["activation_id"]) == ("updated", first["activation_id"])
    assert (update["seats_before"], update["seats_after"]) == (2, 2)
    features = [feature["code"] for feature in pump.run("status")["features"]]
    assert sorted(features) == ["iot-bridge-snowflake", "mqtt-server", "mqtt-server-support"]
    story.books(("manager", "license.terms_changed", "order 4711"), *UPDATE)


def deactivated_and_used_again(story: Story, press: Host, spare: Host, second: dict[str, Any]) -> None:
    refused = story.issue(spare.request(story.license_key), exit_code=1)
    assert refused["code"] == "no-seat"
    assert "press" in refused["message"]
    story.books(("agent", "request.received"), ("agent", "request.refused"))

    ended = press.run("deactivate")
    assert ended["license_id"] == story.license_id
    freed = story.portal.manage(
        "deactivate_activation", story.license_id, ended["deactivation_code"], "--actor", "agent"
    )
    assert freed["activation_id"] == second["activation_id"]
    assert press.run("status")["state"] == "deactivated"
    press.run("install", given=second["usage_license"], exit_code=1)
    story.books(("agent", "activation.deactivated"))

    moved = story.answer(spare)
    assert (moved["seats_before"], moved["seats_after"]) == (1, 2)
    story.books(*NEW)


def destroyed_and_restored(story: Story, pump: Host, first: dict[str, Any]) -> None:
    manage, activation_id, flood = story.portal.manage, first["activation_id"], "the pump house was flooded"
    manage("mark_lost", activation_id, "--actor", "agent", "--reason", flood)
    dry_pump = story.host("dry-pump")
    request = dry_pump.request(story.license_key)
    refused = story.issue(request, exit_code=1)
    assert refused["code"] == "no-seat"
    assert activation_id in refused["message"]
    story.books(("agent", "activation.lost", flood), ("agent", "request.received"), ("agent", "request.refused"))

    case = manage("restoration", "request", activation_id, "--actor", "lead", "--reason", flood)["restoration_id"]
    same = manage("restoration", "approve", case, "--actor", "lead", "--reason", "photos seen", exit_code=1)
    assert same["code"] == "same-person"
    manage("create_staff", "second-lead", "--role", "support-lead")
    manage("restoration", "approve", case, "--actor", "second-lead", "--reason", "photos seen")
    story.books(
        ("lead", "restoration.requested", flood),
        ("second-lead", "restoration.approved", "photos seen"),
        ("second-lead", "activation.restored", "photos seen"),
        ("second-lead", "tombstone.placed", "photos seen"),
    )

    answer = story.issue(request)
    dry_pump.run("install", given=answer["usage_license"])
    assert dry_pump.run("status")["state"] == "active"
    story.books(("agent", "activation.created"), ("agent", "usage_license.issued"))

    # The flooded server turns out to run: a lead has to look, and nothing is given away.
    seen = story.issue(pump.request(story.license_key), exit_code=1)
    assert seen["code"] == "no-seat-tombstone"
    assert case in seen["message"]
    story.books(("agent", "request.received"), ("agent", "tombstone.sighted"), ("agent", "request.refused"))
