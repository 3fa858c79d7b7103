"""demo_data: something to look at on a new embedded portal, and how to sign in."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings

from activations.management.base import SOURCE, PortalCommand, done
from activations.management.demo import DemoChariot, make_demo_accounts, make_demo_keys, refuse_in_production
from activations.models import Activation, License
from activations.services.actors import actor_named
from activations.services.issue import submit_usage_request
from activations.services.licenses import FeatureTerm, create_license, license_key
from activations.services.losses import mark_lost, request_restoration

PLANTS = (("Acme Water Works", 3, ("pump-house", "filter-hall")), ("Northern Paper Mill", 2, ("press-1", "press-2")))
TO_PASTE = "Acme Water Works"


class Command(PortalCommand):
    help = "Make demo customers, licenses and activations once; print how to sign in and a Usage Request to paste."

    def arguments(self, parser: ArgumentParser) -> None:
        """None but --json."""

    def perform(self, options: dict[str, Any]) -> dict[str, Any]:
        refuse_in_production()
        passwords = make_demo_accounts()
        trust_root = make_demo_keys()
        for customer, allowed, hosts in PLANTS:
            if not License.objects.filter(customer__name=customer).exists():
                self._plant(customer, allowed, hosts, trust_root)
        return {"accounts": passwords, "usage_request": self._fresh_request(trust_root)}

    def again(self, answer: dict[str, Any]) -> str:
        return "The demo data was made: run the command again, it is made once." if "accounts" in answer else ""

    def lines(self, answer: dict[str, Any]) -> list[str]:
        width = max(len(name) for name in answer["accounts"])
        sign_in = [f"  {name:<{width}}  {password}" for name, password in answer["accounts"].items()]
        return ["Sign in with:", *sign_in, "", "A Usage Request to paste:", "", answer["usage_request"].rstrip()]

    def _plant(self, customer: str, allowed: int, hosts: tuple[str, ...], trust_root: Path) -> None:
        agent, manager = actor_named("agent"), actor_named("manager")
        next_year = date(date.today().year + 1, 6, 30)  # noqa: DTZ011 - any day next year will do
        license = done(
            create_license(
                customer=customer,
                allowed=allowed,
                features=[
                    FeatureTerm("mqtt-server"),
                    FeatureTerm("iot-bridge-snowflake"),
                    FeatureTerm("mqtt-server-support", next_year),
                ],
                actor=manager,
                source=SOURCE,
            )
        )
        for host in hosts:
            chariot = DemoChariot(_folder(host), trust_root, host)
            request = chariot.run("request", "-", text=license.license_key)["usage_request"]
            answer = done(submit_usage_request(source=request, actor=agent, origin=SOURCE))
            chariot.run("install", text=answer.usage_license or "")
        if allowed == len(hosts):  # a full license, and a loss that waits for its review
            lost = Activation.objects.filter(license__license_id=license.license_id).order_by("id").first()
            assert lost is not None  # made just above  # noqa: S101
            reason = "The server's power supply burned out; the host was scrapped."
            done(mark_lost(activation_id=lost.activation_id, actor=agent, source=SOURCE, reason=reason))
            done(request_restoration(activation_id=lost.activation_id, actor=agent, source=SOURCE, reason=reason))

    def _fresh_request(self, trust_root: Path) -> str:
        """A new request of the same demo host: the first paste activates it, later ones update it."""
        license = License.objects.filter(customer__name=TO_PASTE).order_by("id").first()
        assert license is not None  # made above, or at an earlier start  # noqa: S101
        chariot = DemoChariot(_folder("new-line"), trust_root, "new-line")
        key = license_key(license).text
        text: str = chariot.run("request", "-", text=key)["usage_request"]
        return text


def _folder(host: str) -> Path:
    return Path(settings.VAR_DIR) / "demo-hosts" / host
