"""A license with a history, and its statements, for the tests of both."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from chariot_license.protocol.statement import Statement, open_statement

from activations.models import Activation
from activations.services.deactivate import deactivate_activation
from activations.services.key_reveal import show_license_key
from activations.services.licenses import FeatureTerm, LicenseCreated
from activations.services.losses import approve_restoration, mark_lost, request_restoration
from activations.services.results import BadInput, Refused
from activations.services.signing import trusted_roots
from activations.services.statements import StatementFile, StatementMade, make_statement, statement_file
from tests.portal.cast import (
    AGENT,
    LEAD,
    MANAGER,
    SECOND_LEAD,
    SOURCE,
    answered,
)
from tests.portal.chariot import Chariot, host
from tests.portal.licensing import change


def with_history(license: LicenseCreated) -> LicenseCreated:
    """A license with one host deactivated, one lost and restored, one active, and things that only staff know."""
    chariots = [Chariot(license.license_key, host(f"pump-{number}")) for number in range(2)]
    for chariot in chariots:
        chariot.install(answered(chariot.request()))
    lost = Activation.objects.get(hostname="pump-1")
    done(mark_lost(activation_id=lost.activation_id, actor=AGENT, source=SOURCE, reason="inner reason one"))
    case = done(request_restoration(activation_id=lost.activation_id, actor=LEAD, source=SOURCE, reason="inner two"))
    done(
        approve_restoration(
            restoration_id=case.restoration_id, actor=SECOND_LEAD, source=SOURCE, reason="inner reason three"
        )
    )
    code = chariots[0].deactivate()
    done(deactivate_activation(license_id=license.license_id, code=code, actor=AGENT, source=SOURCE))
    done(change(license, features=[FeatureTerm("mqtt-server")], versions=("2.0", ""), reason="inner reason four"))
    done(show_license_key(license_id=license.license_id, actor=MANAGER, source=SOURCE, reason="inner reason five"))
    answered(Chariot(license.license_key, host("weir")).request())
    return license


def done(result: Any) -> Any:
    assert not isinstance(result, Refused | BadInput), result
    return result


def made(license: LicenseCreated, at: datetime | None = None) -> StatementMade:
    result: StatementMade = done(make_statement(license_id=license.license_id, actor=AGENT, source=SOURCE, at=at))
    return result


def fetched(statement: StatementMade, format: str = "json") -> bytes:
    file: StatementFile = done(
        statement_file(license_id=statement.license_id, number=statement.number, format=format, actor=AGENT)
    )
    assert file.name == f"statement-{statement.license_id}-{statement.as_of.astimezone(UTC):%Y-%m-%d}.{format}"
    return file.content


def read(data: bytes) -> Statement:
    return open_statement(data, trusted_roots())
