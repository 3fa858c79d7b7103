"""The round trip of a license as another system plays it, with the client that is generated from the API's document.

`portal_client` is there only while tests/system/test_api_client.py runs, which checks the types in here against it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TypeVar

from portal_client import AuthenticatedClient
from portal_client.api.activations import activations_list, deactivations_create
from portal_client.api.licenses import licenses_change, licenses_create, licenses_get
from portal_client.api.past import as_of_license
from portal_client.api.usage_requests import usage_requests_dry_run, usage_requests_submit
from portal_client.models.activation_out import ActivationOut
from portal_client.models.confirm_request import ConfirmRequest
from portal_client.models.deactivated import Deactivated
from portal_client.models.deactivation_request import DeactivationRequest
from portal_client.models.decision import Decision
from portal_client.models.feature_request import FeatureRequest
from portal_client.models.license_changed import LicenseChanged
from portal_client.models.license_create_request import LicenseCreateRequest
from portal_client.models.license_created import LicenseCreated
from portal_client.models.license_then import LicenseThen
from portal_client.models.outcome import Outcome
from portal_client.models.paginated_activation_out_list import PaginatedActivationOutList
from portal_client.models.patched_license_patch_request import PatchedLicensePatchRequest
from portal_client.models.problem import Problem
from portal_client.models.submit_request import SubmitRequest
from portal_client.types import Unset

Chariot = Callable[..., dict[str, object]]
T = TypeVar("T")


def key() -> str:
    return str(uuid.uuid4())


def is_a(kind: type[T], answer: object) -> T:
    assert isinstance(answer, kind), answer
    return answer


def buy(client: AuthenticatedClient) -> LicenseCreated:
    wanted = LicenseCreateRequest(customer="Acme Water", allowed=2, features=[FeatureRequest(code="mqtt-server")])
    return is_a(LicenseCreated, licenses_create.sync(client=client, body=wanted, idempotency_key=key()))


def play(client: AuthenticatedClient, chariot: Chariot) -> str:
    """Bought, changed, activated, deactivated, looked up in the past. The License ID."""
    bought = buy(client)
    license_id: str = bought.license_.license_id
    got = licenses_get.sync_detailed(license_id, client=client)
    change = PatchedLicensePatchRequest(reason="Order 4711", allowed=3)
    changed = licenses_change.sync(
        license_id, client=client, body=change, idempotency_key=key(), if_match=got.headers["ETag"]
    )
    assert is_a(LicenseChanged, changed).license_.allowed == 3

    block = str(chariot("request", bought.license_key)["usage_request"])
    seen = is_a(Decision, usage_requests_dry_run.sync(client=client, body=SubmitRequest(text=block)))
    assert (seen.outcome, seen.booked) == (Outcome.ISSUED, False)
    asked, once = ConfirmRequest(text=block, expect=seen.digest), key()
    issued = is_a(Decision, usage_requests_submit.sync(client=client, body=asked, idempotency_key=once))
    again = usage_requests_submit.sync_detailed(client=client, body=asked, idempotency_key=once)
    assert (again.parsed, again.headers["Idempotency-Replayed"]) == (issued, "true")
    assert (issued.outcome, issued.seats_after) == (Outcome.ISSUED, 1)
    chariot("install", given=is_a(str, issued.usage_license))
    (running,) = _activations(client, license_id)
    assert (running.activation_id, running.seat) == (issued.activation_id, 1)

    code = str(chariot("deactivate")["deactivation_code"])
    told = DeactivationRequest(license_id=license_id, code=code)
    freed = is_a(Deactivated, deactivations_create.sync(client=client, body=told, idempotency_key=key()))
    assert freed.activation_id == running.activation_id
    (gone,) = _activations(client, license_id)
    then = is_a(LicenseThen, as_of_license.sync(license_id, client=client, at=running.changed_at))
    now = is_a(LicenseThen, as_of_license.sync(license_id, client=client, at=gone.changed_at))
    assert [(each.active, each.free) for each in (then, now)] == [(1, 2), (0, 3)]

    wrong = is_a(Problem, licenses_create.sync(client=client, body=_unknown_feature(), idempotency_key=key()))
    assert (wrong.code, wrong.status) == ("feature-unknown", 422)
    assert not isinstance(wrong.request_id, Unset)
    return license_id


def _activations(client: AuthenticatedClient, license_id: str) -> list[ActivationOut]:
    page = is_a(PaginatedActivationOutList, activations_list.sync(client=client, license_id=license_id))
    found: list[ActivationOut] = page.results
    return found


def _unknown_feature() -> LicenseCreateRequest:
    return LicenseCreateRequest(customer="Acme Water", allowed=1, features=[FeatureRequest(code="warp-drive")])
