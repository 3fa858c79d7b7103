"""What the command line prints: for programs (--json) and for people."""

from typing import TYPE_CHECKING

from chariot_license import words
from chariot_license.results import Deactivated, FeatureStatus, Installed, RequestMade, Status

if TYPE_CHECKING:
    from chariot_license.online import Given, Waits

TEST_STATE = "yes: made with a test switch, and of no use to a real Chariot"
TEST_SWITCH = (
    "This answer was made with a test switch; it says nothing about what Chariot itself may do here. Ask again without"
    " --trust-root, CHARIOT_TRUST_ROOT and CHARIOT_HOST_FACTS."
)


def request_json(made: RequestMade) -> dict[str, object]:
    return {
        "outcome": "made",
        "usage_request": made.block,
        "request_id": made.request_id.hex(),
        "counter": made.counter,
        "made_at": words.iso(made.made_at),
        "replaces_request_made_at": _iso(made.replaces),
        "test_state": made.test_state,
        "warnings": list(made.warnings),
    }


def given_json(asked: "Given") -> dict[str, object]:
    return {
        "outcome": asked.outcome,
        "usage_license": asked.block,
        "usage_license_id": asked.usage_license_id,
        "activation_id": asked.activation_id,
        "license_id": asked.license_id,
        "message": asked.message,
    }


def waits_json(asked: "Waits") -> dict[str, object]:
    return {
        "outcome": "pending",
        "code": asked.code,
        "message": asked.message,
        "license_id": asked.license_id,
        "request_id": asked.request_id,
        "retry_after": asked.retry_after,
    }


def installed_json(done: Installed) -> dict[str, object]:
    return {
        "outcome": "already-installed" if done.again else "installed",
        "license_id": done.license_id,
        "activation_id": done.activation_id,
        "usage_license_id": done.usage_license_id,
        "host_match_words": done.host_words,
        "test_state": done.test_state,
        "warnings": list(done.warnings),
    }


def installed_text(done: Installed) -> str:
    if done.again:
        return f"Usage License {done.usage_license_id} was installed before; nothing changed."
    return (
        f"Usage License {done.usage_license_id} is installed (License ID {done.license_id}, activation"
        f" {done.activation_id})."
    )


def deactivated_json(gone: Deactivated) -> dict[str, object]:
    return {
        "outcome": "already-deactivated" if gone.again else "deactivated",
        "deactivation_code": gone.code,
        "license_id": gone.license_id,
        "other_license_ids": list(gone.other_license_ids),
        "deactivated_at": words.iso(gone.deactivated_at),
        "test_state": gone.test_state,
        "message": _next_step(gone),
        "warnings": list(gone.warnings),
    }


def deactivated_text(gone: Deactivated) -> str:
    rows = [
        ("Deactivation code", gone.code),
        ("License ID", gone.license_id or "in the purchase email (no Usage License was ever installed here)"),
        *[("Also License ID", other) for other in gone.other_license_ids],
        ("Deactivated", words.moment(gone.deactivated_at)),
    ]
    return f"{_table(rows)}\n\n{_next_step(gone)}"


def status_json(status: Status) -> dict[str, object]:
    fit = status.host_match
    return {
        "outcome": "ok",
        "state": status.state,
        "message": status.message,
        "license_id": status.license_id,
        "activation_id": status.activation_id,
        "usage_license_id": status.usage_license_id,
        "customer": status.customer,
        "product": status.product,
        "versions": list(status.versions) if status.versions else None,
        "terms_revision": status.terms_revision,
        "issued_at": _iso(status.issued_at),
        "features": [
            {
                "code": feature.code,
                "expires": _iso(feature.expires),
                "days_left": feature.days_left,
                "active": feature.active,
            }
            for feature in status.features
        ],
        "host_match": fit.matched if fit else None,
        "host_match_words": fit.words if fit else None,
        "pending_request_since": _iso(status.pending_since),
        "deactivated_at": _iso(status.deactivated_at),
        "test_state": status.test_state,
        "test_switch": status.test_switch,
        "clock_warning": status.clock_warning,
        "warnings": list(status.warnings),
    }


def status_text(status: Status) -> str:
    rows = [("State", status.state), ("", status.message)]
    if status.license_id:
        rows.append(("License ID", status.license_id))
    if status.usage_license_id:
        rows += [
            ("Customer", status.customer or ""),
            ("Activation", status.activation_id or ""),
            ("Usage License", f"{status.usage_license_id}, issued {words.moment(status.issued_at or 0)}"),
            ("Terms", f"revision {status.terms_revision}"),
        ]
    if status.host_match:
        rows.append(("Host", f"{'the same' if status.host_match.matched else 'another'}: {status.host_match.words}"))
    rows += [("Feature", _feature(feature)) for feature in status.features]
    if status.pending_since is not None:
        rows.append(("Pending request", f"made {words.moment(status.pending_since)}, not answered yet"))
    if status.deactivated_at is not None:
        rows.append(("Deactivated", words.moment(status.deactivated_at)))
    if status.clock_warning:
        rows.append(("Clock", status.clock_warning))
    if status.test_state:
        rows.append(("Test state", TEST_STATE))
    elif status.test_switch:
        rows.append(("Warning", TEST_SWITCH))
    return _table(rows)


def _feature(feature: FeatureStatus) -> str:
    left = words.days_left(feature.days_left, feature.active)
    return f"{feature.code}, {left}" + (f" ({words.date(feature.expires)})" if feature.expires is not None else "")


def _next_step(gone: Deactivated) -> str:
    known = "and the License ID" if gone.license_id else "and the License ID from the purchase email"
    return (
        f"Send the deactivation code {known} to Support; that frees the activation for another Chariot. `deactivate`"
        " shows the code again until a new Usage Request is made here."
    )


def _table(rows: list[tuple[str, str]]) -> str:
    return "\n".join(f"{name + ':' if name else '':18} {value}".rstrip() for name, value in rows)


def _iso(seconds: int | None) -> str | None:
    return None if seconds is None else words.iso(seconds)
