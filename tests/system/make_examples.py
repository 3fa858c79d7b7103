"""Writes activations/api/examples.json anew: real calls and answers, on a new portal that the environment names.

PORTAL_VAR_DIR=$(mktemp -d) sh -c 'python manage.py migrate -v0 && python -m tests.system.make_examples'
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import django


def main() -> None:
    """Imports of the portal come after Django is set up."""
    django.setup()
    from django.test.utils import setup_test_environment

    setup_test_environment()
    from activations.api import schema
    from activations.management.commands.checkpoint_ledger import Command as Checkpoint
    from tests.api.calling import Caller, all_scopes, machine, person
    from tests.portal.cast import make_keys
    from tests.portal.chariot import Chariot, host

    make_keys()
    shop = machine(*all_scopes())
    lead = person("lead")
    made: dict[str, dict[str, Any]] = {}

    def keep(name: str, answer: Any, request: Any = None, **parameters: Any) -> Any:
        assert answer.status < 300, (name, answer)
        shown: dict[str, Any] = {"answers": {str(answer.status): answer.json}} if answer.json is not None else {}
        if request is not None:
            shown["request"] = request
        if parameters:
            shown["parameters"] = parameters
        made[name] = shown
        return answer

    def post(name: str, path: str, sent: Any = None, caller: Caller = shop, *, write: bool = True, **known: Any) -> Any:
        return keep(name, caller.post(path, sent), sent if write else None, **known)

    def get(name: str, path: str, asked: dict[str, Any] | None = None, **known: Any) -> Any:
        return keep(name, shop.get(path, **(asked or {})), **known)

    purchase = {
        "customer": "Acme Water",
        "allowed": 3,
        "features": [{"code": "mqtt-server"}, {"code": "mqtt-server-support", "expires": "2099-12-31"}],
    }
    bought = post("licenses_create", "/licenses", purchase)
    name = bought["license"]["license_id"]
    one, customer = f"/licenses/{name}", bought["license"]["customer"]["id"]
    contact = {"email": "operator@acme.example", "name": "Operations"}
    post("customers_add_contact", f"/customers/{customer}/contacts", contact, customer_id=customer)
    get("customers_list", "/customers")
    get("customers_get", f"/customers/{customer}", customer_id=customer)
    get("licenses_list", "/licenses")
    tag = get("licenses_get", one, license_id=name).headers["ETag"]
    change = {"reason": "Order 4711: one more site", "allowed": 4}
    keep("licenses_change", shop.patch(one, change, If_Match=tag), change, license_id=name)
    post("licenses_suspend", f"{one}/suspend", {"reason": "The invoice is not paid."}, license_id=name)
    post("licenses_reinstate", f"{one}/reinstate", {"reason": "The invoice is paid."}, license_id=name)
    replaced = post("licenses_replace_key", f"{one}/replace-key", {"reason": "The key was in a log."}, license_id=name)
    returned = shop.post("/licenses", {**purchase, "customer": "Returned Goods"})["license"]["license_id"]
    post("licenses_revoke", f"/licenses/{returned}/revoke", {"reason": "It was returned."}, license_id=returned)

    pump, weir = (Chariot(replaced["license_key"], host(each)) for each in ("pump-house", "weir"))
    block = pump.request()
    post("usage_requests_dry_run", "/usage-requests/dry-run", {"text": block})
    issued = post("usage_requests_submit", "/usage-requests", {"text": block})
    pump.install(issued["usage_license"])
    get("usage_requests_list", "/usage-requests")
    get("usage_requests_get", f"/usage-requests/{issued['request_id']}", request_id=issued["request_id"])
    get("activations_list", "/activations")
    running = issued["activation_id"]
    get("activations_get", f"/activations/{running}", activation_id=running)
    told = {"license_id": name, "code": pump.deactivate()}
    post("deactivations_create", "/deactivations", told)

    def lost(chariot: Chariot, reason: str) -> str:
        given = shop.post("/usage-requests", {"text": chariot.request()})["activation_id"]
        post("activations_mark_lost", f"/activations/{given}/mark-lost", {"reason": reason}, activation_id=given)
        return str(given)

    for verb, chariot in (("deny", Chariot(replaced["license_key"], host("mill"))), ("approve", weir)):
        opened = {"activation_id": lost(chariot, "The flood took it."), "reason": "The flood took the cabinet."}
        case = post("restorations_request", "/restorations", opened)["restoration_id"]
        why = {"reason": "The photos were seen." if verb == "approve" else "It still runs, as its mails show."}
        post(f"restorations_{verb}", f"/restorations/{case}/{verb}", why, lead, restoration_id=case)
    get("restorations_list", "/restorations")
    get("restorations_get", f"/restorations/{case}", restoration_id=case)

    Checkpoint().run_from_argv(["manage.py", "checkpoint_ledger"])
    get("ledger_entries_list", "/ledger/entries", {"chain": name, "page_size": 2}, chain=name)
    get("ledger_entries_get", f"/ledger/entries/{name}/1", chain=name, seq=1)
    size = get("ledger_checkpoints_list", "/ledger/checkpoints")["results"][0]["size"]
    get("ledger_checkpoints_get", f"/ledger/checkpoints/{size}", size=size)
    asked = {"chain": name, "seq": 1}
    get("ledger_prove_inclusion", "/ledger/proofs/inclusion", asked, **asked)
    get("ledger_prove_consistency", "/ledger/proofs/consistency", {"old": size}, old=size)
    export = post("ledger_exports_create", "/ledger/exports", {"format": "jsonl", "license_id": name})["id"]
    get("ledger_exports_list", "/ledger/exports")
    get("ledger_exports_get", f"/ledger/exports/{export}", export_id=export)
    made["ledger_exports_file"] = made["ledger_exports_cancel"] = {"parameters": {"export_id": export}}
    get("as_of_license", f"/as-of/licenses/{name}", license_id=name)
    get("as_of_licenses", "/as-of/licenses")
    open_door = shop.post("/licenses", {**purchase, "customer": "Connected Waterways", "online": True})
    chariot = Chariot(open_door["license_key"], host("harbour"))
    post("online_usage_request", "/online/usage-requests", {"usage_request": chariot.request()})
    Path(schema.__file__).with_name("examples.json").write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
