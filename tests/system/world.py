"""Run by tests in a process of its own: fills a portal with one of everything that a page can show.

    python -m tests.system.world

On the portal that the environment names, which has its keys. Prints the names of what it made as JSON.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import django


def main() -> None:
    """Imports of the portal come after Django is set up."""
    django.setup()
    from activations.domain.scopes import Scope
    from activations.domain.words import LicenseStatus
    from activations.services.deactivate import deactivate_activation
    from activations.services.issue import submit_usage_request
    from activations.services.licenses import FeatureTerm, LicenseChange, change_license
    from activations.services.losses import approve_restoration, mark_lost, request_restoration
    from activations.services.webhooks.replaying import send_test
    from tests.api.calling import made_token
    from tests.portal.cast import ADMINISTRATOR, AGENT, LEAD, MANAGER, SECOND_LEAD, answered, issue, make_license
    from tests.portal.chariot import Chariot, host
    from tests.system.world_mail import fill_inbox
    from tests.webhooks.making import made as made_webhook

    def ok(result: Any) -> Any:
        assert not hasattr(result, "message") or hasattr(result, "activation_id"), result
        return result

    made = make_license(allowed=6, customer="Acme Water Works")
    chariots = {name: Chariot(made.license_key, host(name)) for name in ("pump-house", "filter-hall", "weir", "mill")}
    activations: dict[str, str] = {}
    for name, chariot in chariots.items():
        result = issue(chariot.request())
        activations[name] = str(result.activation_id)
        chariot.install(result.usage_license or "")
    change = LicenseChange(
        features=[FeatureTerm("mqtt-server"), FeatureTerm("iot-bridge-snowflake", date(2031, 6, 30))]
    )
    ok(change_license(license_id=made.license_id, change=change, actor=MANAGER, source="desk", reason="Order 4711"))
    chariots["pump-house"].install(answered(chariots["pump-house"].request()))

    for name, reason in (("weir", "The flood took the cabinet."), ("mill", "The server burnt out.")):
        ok(mark_lost(activation_id=activations[name], actor=AGENT, source="desk", reason=reason))
    opened = ok(
        request_restoration(activation_id=activations["weir"], actor=AGENT, source="desk", reason="It was washed away.")
    )
    written_off = ok(
        request_restoration(activation_id=activations["mill"], actor=LEAD, source="desk", reason="Burnt out, photos.")
    )
    ok(
        approve_restoration(
            restoration_id=written_off.restoration_id, actor=SECOND_LEAD, source="desk", reason="Photos seen."
        )
    )
    sighting = issue(chariots["mill"].request())
    moved = chariots["filter-hall"]
    moved.facts = host("new-hardware")
    waiting = issue(moved.request())
    submit_usage_request(source="Hello, where do we find our license?", actor=AGENT, origin="desk")
    gone = Chariot(made.license_key, host("depot"))
    gone.install(answered(gone.request()))
    ok(deactivate_activation(license_id=made.license_id, code=gone.deactivate(), actor=AGENT, source="desk"))
    full = make_license(allowed=1, customer="Northern Paper Mill")
    answered(Chariot(full.license_key, host("boiler")).request())
    refused = issue(Chariot(full.license_key, host("dryer")).request())
    for status, customer in ((LicenseStatus.SUSPENDED, "Unpaid Works"), (LicenseStatus.REVOKED, "Returned Goods")):
        other = make_license(customer=customer)
        change = LicenseChange(status=status)
        ok(change_license(license_id=other.license_id, change=change, actor=MANAGER, source="desk", reason="agreed"))

    fresh = Chariot(made.license_key, host("control-room"))
    update, full_request = chariots["pump-house"].request(), Chariot(full.license_key, host("winder")).request()
    code = chariots["pump-house"].deactivate()
    connected = make_license(allowed=9, customer="Connected Waterways", online=True)
    receiver = made_webhook("https://hooks.invalid/in", "restoration.*")  # a name that nobody can have (RFC 2606)
    made_token(Scope.READ_LICENSES, Scope.SUBMIT_REQUESTS, name="ticket-system")
    ok(send_test(endpoint_pk=receiver.endpoint.pk, actor=ADMINISTRATOR))
    mail = fill_inbox(
        made.license_id,
        {
            "new": Chariot(made.license_key, host("sluice")).request(),
            "update": update,
            "full": Chariot(full.license_key, host("press")).request(),
            "code": f"License {made.license_id}, code {code}",
        },
    )
    print(
        json.dumps(
            {
                **mail,
                "license_id": made.license_id,
                "license_key": made.license_key,
                "restoration_id": opened.restoration_id,
                "sighting": sighting.request_id,
                "waiting": waiting.request_id,
                "refused": refused.request_id,
                "fresh_request": fresh.request(),
                "update_request": update,
                "full_request": full_request,
                "code": code,
                "online_request": Chariot(connected.license_key, host("lock-gate")).request(),
                "off_request": Chariot(full.license_key, host("boiler")).request(),
            }
        )
    )


if __name__ == "__main__":
    main()
