"""play_round_trip: the whole trip in the terminal, with the real client; exit 0 only if every step held."""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from activations.domain.words import Actor
from activations.management.base import REFUSED, SOURCE, PortalCommand, Stop, done
from activations.management.demo import DemoChariot, make_demo_accounts, make_demo_keys, refuse_in_production
from activations.services.actors import actor_named
from activations.services.deactivate import deactivate_activation
from activations.services.issue import Submission, submit_usage_request
from activations.services.ledger_checks import verify_ledger
from activations.services.licenses import FeatureTerm, LicenseCreated, create_license


class Command(PortalCommand):
    help = "Play the round trip: license, Usage Request, Usage License, install, status, update, deactivate."

    def arguments(self, parser: ArgumentParser) -> None:
        """None but --json."""

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        refuse_in_production()
        make_demo_accounts()
        trust_root = make_demo_keys()
        agent = actor_named("agent")
        license = self._license()
        with tempfile.TemporaryDirectory() as folder:
            chariot = DemoChariot(Path(folder), trust_root, "round-trip-host")
            first = self._activate(chariot, license, agent)
            self._update(chariot, license, agent, first)
            self._deactivate(chariot, license, agent, first)
        checked = verify_ledger(rebuild_check=True)
        self._hold(checked.holds, f"the ledger holds, and the tables agree with it ({checked.entries} entries)")
        return {"license_id": license.license_id, "message": "Every step held."}

    def lines(self, answer: dict[str, Any]) -> list[str]:
        return []

    def _license(self) -> LicenseCreated:
        next_year = date(date.today().year + 1, 12, 31)  # noqa: DTZ011 - any day next year will do
        license = done(
            create_license(
                customer="Round Trip Demo",
                allowed=1,
                features=[FeatureTerm("mqtt-server"), FeatureTerm("mqtt-server-support", next_year)],
                actor=actor_named("manager"),
                source=SOURCE,
            )
        )
        self._step("License created", f"License ID   {license.license_id}\nLicense Key  {license.license_key}")
        return license

    def _activate(self, chariot: DemoChariot, license: LicenseCreated, agent: Actor) -> Submission:
        request = chariot.run("request", "-", text=license.license_key)["usage_request"]
        self._step("Usage Request, made by Chariot and mailed to Support", request)
        shown = done(submit_usage_request(source=request, actor=agent, origin=SOURCE, dry_run=True))
        self._step("Dry run in the portal", shown.decision.staff)
        answer = self._submit(request, agent, shown.digest)
        self._hold(answer.decision.code == "activated", "one seat of one is taken")
        self._step("Usage License, mailed back", answer.usage_license or "")
        chariot.run("install", text=answer.usage_license or "")
        status = chariot.run("status")
        self._hold(status["state"] == "active", "installed: Chariot is active")
        self._hold(status["license_id"] == license.license_id, "and names the license it was bought with")
        features = "\n".join(
            f"feature     {feature['code']}, {feature['expires'] or 'does not expire'}"
            for feature in status["features"]
        )
        self._step(
            "Status in Chariot",
            f"state       {status['state']}\nlicense     {status['license_id']}\n"
            f"activation  {status['activation_id']}\n{features}",
        )
        again = self._submit(request, agent, None)
        self._hold(again.usage_license == answer.usage_license, "the same request again: the same answer, no seat")
        return answer

    def _update(self, chariot: DemoChariot, license: LicenseCreated, agent: Actor, first: Submission) -> None:
        request = chariot.run("request", "-", text=license.license_key)["usage_request"]
        update = self._submit(request, agent, None)
        self._hold(update.decision.code == "updated", "a new request from the same host is an update")
        self._hold(update.activation_id == first.activation_id, "of the same activation")
        self._hold(update.decision.seats_after == update.decision.seats_before, "and takes no seat")
        chariot.run("install", text=update.usage_license or "")
        self._hold(chariot.run("status")["state"] == "active", "installed: Chariot is active")

    def _deactivate(self, chariot: DemoChariot, license: LicenseCreated, agent: Actor, first: Submission) -> None:
        ended = chariot.run("deactivate")
        self._step("Deactivation Request code, shown by Chariot", str(ended["deactivation_code"]))
        freed = done(
            deactivate_activation(
                license_id=license.license_id, code=ended["deactivation_code"], actor=agent, source=SOURCE
            )
        )
        self._hold(freed.activation_id == first.activation_id, freed.message)
        self._hold(chariot.run("status")["state"] == "deactivated", "Chariot is deactivated")

    def _submit(self, request: str, agent: Actor, expect: str | None) -> Submission:
        return done(submit_usage_request(source=request, actor=agent, origin=SOURCE, expect=expect))

    def _step(self, title: str, text: str) -> None:
        self.say(f"\n=== {title}\n{text.rstrip()}")

    def _hold(self, held: bool, what: str) -> None:
        if not held:
            raise Stop(REFUSED, {"outcome": "refused", "code": "step-failed", "message": f"This did not hold: {what}"})
        self.say(f"  ok  {what}")
