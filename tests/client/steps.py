"""The steps of a round trip, each with the outcome a test expects of it."""

from __future__ import annotations

from typing import Any

from chariot_license.instance import Instance
from chariot_license.results import Deactivated, Installed, Refused, RequestMade

from tests.client.vendor import Vendor, new_license_key

DAY = 86400
KEY = new_license_key()


def made(result: RequestMade | Refused) -> RequestMade:
    assert isinstance(result, RequestMade), result
    return result


def installed(result: Installed | Refused) -> Installed:
    assert isinstance(result, Installed), result
    return result


def refused(result: object, code: str) -> Refused:
    assert isinstance(result, Refused), result
    assert result.code == code
    return result


def deactivated(result: Deactivated | Refused) -> Deactivated:
    assert isinstance(result, Deactivated), result
    return result


def license_it(chariot: Instance, vendor: Vendor, **changes: Any) -> str:
    """One whole round trip; returns the Usage License."""
    answer = vendor.answer(made(chariot.request(KEY.text)).block, **changes)
    installed(chariot.install(answer))
    return answer
