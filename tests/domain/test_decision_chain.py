"""Rows of the decision table about a Chariot's earlier requests: superseded, and the chain broken (Design 9.1, 9.3)."""

from typing import Any

import pytest

from activations.domain import sentences as say
from activations.domain.decisions import decide
from activations.domain.words import (
    Ability,
    Action,
    Choice,
    LicenseStatus,
    RequestState,
)
from tests.domain.builders import (
    LATEST,
    Case,
    activation,
    answer,
    answered,
    chose,
    elsewhere,
    facts,
    host,
    issued,
    pending,
    refused,
)

ISSUE, LEAD = Ability.ISSUE, Ability.DECIDE_AS_LEAD
BACKUP, REBIND, REFUSE = Choice.RESTORED_BACKUP, Choice.REBIND, Choice.REFUSE
ACCEPT_BACKUP = (BACKUP, LEAD, None)
L1, L2, L3 = "1" * 32, "2" * 32, "3" * 32  # digests of Usage Licenses, oldest first

LATE: dict[str, Any] = {"request": {"counter": 5}, "latest": LATEST}  # number 5, after number 7 was seen
SAME: dict[str, Any] = {"request": {"counter": 7}, "latest": LATEST}  # number 7 again, with another id
NEXT: dict[str, Any] = {"counter": 8}  # the number that follows `LATEST`


SUPERSEDED = [
    Case("an old request mailed again", facts(**LATE, known_id=True), chose(), refused("superseded", 0)),
    Case(
        "an old request mailed again cannot be passed off as a backup",
        facts(**LATE, known_id=True),
        chose(BACKUP),
        refused("superseded", 0),
    ),
    Case(
        "a lower number never seen: a lead may accept a backup",
        facts(**LATE),
        chose(),
        refused("superseded", 0, options=(ACCEPT_BACKUP,)),
    ),
    Case(
        "only a backup can be accepted, not refused for good",
        facts(**LATE),
        chose(REFUSE),
        refused("superseded", 0, options=(ACCEPT_BACKUP,)),
    ),
    Case(
        "backup accepted, a seat is free",
        facts(**LATE),
        chose(BACKUP),
        issued("activated", Action.NEW, 0, requires=(LEAD,), taken=(BACKUP,), warnings=(say.BACKUP_ACCEPTED,)),
    ),
    Case(
        "backup accepted covers a broken chain too",
        facts(activation(), request={"counter": 5, "previous": L1}, latest=LATEST, issued=(L1, L2), acknowledged=L2),
        chose(BACKUP),
        issued(
            "updated",
            Action.UPDATE,
            1,
            activation_id="ACT-1",
            requires=(LEAD,),
            taken=(BACKUP,),
            warnings=(say.BACKUP_ACCEPTED,),
        ),
    ),
    Case(
        "backup accepted, then the host is another: a second choice is needed",
        facts(activation(fingerprint=host("mill")), **LATE),
        chose(BACKUP),
        pending(
            "host-changed",
            1,
            (REBIND, LEAD, "ACT-1"),
            refuse=LEAD,
            requires=(LEAD,),
            taken=(BACKUP,),
            warnings=(say.BACKUP_ACCEPTED,),
        ),
    ),
    Case(
        "backup accepted and rebound, both choices at once",
        facts(activation(fingerprint=host("mill")), **LATE),
        chose(BACKUP, REBIND),
        issued(
            "rebound",
            Action.REBIND,
            1,
            activation_id="ACT-1",
            requires=(LEAD,),
            taken=(BACKUP, REBIND),
            warnings=(say.BACKUP_ACCEPTED,),
        ),
    ),
    Case(
        "backup accepted, then refused: both are named",
        facts(activation(fingerprint=host("mill")), **LATE),
        chose(BACKUP, REFUSE),
        refused(
            "declined-by-person",
            1,
            requires=(LEAD,),
            taken=(BACKUP, REFUSE),
            warnings=(say.BACKUP_ACCEPTED,),
        ),
    ),
    Case(
        "backup accepted, but the license is suspended",
        facts(license={"status": LicenseStatus.SUSPENDED}, **LATE),
        chose(BACKUP),
        refused("license-suspended", 0, requires=(LEAD,), taken=(BACKUP,), warnings=(say.BACKUP_ACCEPTED,)),
    ),
    Case(
        "backup accepted, but no seat is free",
        facts(elsewhere("ACT-2"), license={"allowed": 1}, **LATE),
        chose(BACKUP),
        refused("no-seat", 1, requires=(LEAD,), taken=(BACKUP,), warnings=(say.BACKUP_ACCEPTED,)),
    ),
    Case(
        "received before a backup was accepted: superseded although its number is higher",
        facts(
            activation(),
            request={"counter": 9, "state": RequestState.ANSWERED, "answer": answer()},
            latest=LATEST,
            known_id=True,
            before_backup=True,
        ),
        chose(),
        refused("superseded-by-backup", 1),
    ),
    Case(
        "received before a backup was accepted: that cannot be undone",
        facts(request={"counter": 5}, latest=LATEST, before_backup=True),
        chose(BACKUP),
        refused("superseded-by-backup", 0),
    ),
    Case(
        "superseded comes before the license's state",
        facts(license={"status": LicenseStatus.REVOKED}, known_id=True, **LATE),
        chose(),
        refused("superseded", 0),
    ),
]


def broken(code: str) -> dict[str, Any]:
    return {"expected": pending(code, 1, ACCEPT_BACKUP, refuse=LEAD), "chosen": chose()}


CHAIN = [
    Case("number repeated with another id", facts(activation(), **SAME), **broken("counter-repeated")),
    Case(
        "the deactivation code of this state arrived before",
        facts(activation(), request=NEXT, latest=LATEST, revealed=frozenset({"c" * 64})),
        **broken("deactivated-earlier"),
    ),
    Case(
        "names a Usage License this Chariot was never sent",
        facts(activation(), request={**NEXT, "previous": "f" * 32}, latest=LATEST, issued=(L1,)),
        **broken("previous-license-unknown"),
    ),
    Case(
        "has none installed, though it had one",
        facts(activation(), request=NEXT, latest=LATEST, issued=(L1, L2), acknowledged=L1),
        **broken("previous-license-forgotten"),
    ),
    Case(
        "has an older one installed than before",
        facts(activation(), request={**NEXT, "previous": L1}, latest=LATEST, issued=(L1, L2, L3), acknowledged=L2),
        **broken("previous-license-backwards"),
    ),
    Case(
        "none installed, none acknowledged: the answer never arrived, or it was deactivated",
        facts(activation(), request=NEXT, latest=LATEST, issued=(L1, L2)),
        chose(),
        issued("updated", Action.UPDATE, 1, activation_id="ACT-1"),
    ),
    Case(
        "the same one installed as before",
        facts(activation(), request={**NEXT, "previous": L2}, latest=LATEST, issued=(L1, L2, L3), acknowledged=L2),
        chose(),
        issued("updated", Action.UPDATE, 1, activation_id="ACT-1"),
    ),
    Case(
        "a newer one installed than before",
        facts(activation(), request={**NEXT, "previous": L3}, latest=LATEST, issued=(L1, L2, L3), acknowledged=L2),
        chose(),
        issued("updated", Action.UPDATE, 1, activation_id="ACT-1"),
    ),
    Case(
        "another secret was revealed: a new tenure",
        facts(activation(), request=NEXT, latest=LATEST, revealed=frozenset({"d" * 64})),
        chose(),
        issued("updated", Action.UPDATE, 1, activation_id="ACT-1"),
    ),
    Case(
        "a lead accepts the backup",
        facts(activation(), **SAME),
        chose(BACKUP),
        issued(
            "updated",
            Action.UPDATE,
            1,
            activation_id="ACT-1",
            requires=(LEAD,),
            taken=(BACKUP,),
            warnings=(say.BACKUP_ACCEPTED,),
        ),
    ),
    Case(
        "a clone is refused for good",
        facts(activation(), **SAME),
        chose(REFUSE),
        refused("declined-by-person", 1, requires=(LEAD,), taken=(REFUSE,)),
    ),
    Case(
        "a choice of a later row is not open before this one is answered",
        facts(activation(fingerprint=host("mill")), **SAME),
        chose(REBIND),
        pending("counter-repeated", 1, ACCEPT_BACKUP, refuse=LEAD),
    ),
]

CASES = [*SUPERSEDED, *CHAIN]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    assert answered(case.decide()) == case.expected


def test_refusing_needs_what_answering_needs() -> None:
    """An agent cannot end a lead's question by adding the lead's answer to the refusal."""
    rebind = facts(activation(fingerprint=host("mill")))
    for choices in ([REFUSE], [REFUSE, REBIND]):
        decision = decide(rebind, chose(*choices))
        assert (decision.code, decision.requires) == ("declined-by-person", (LEAD,))
    plain = decide(facts(), chose(REFUSE))
    assert (plain.code, plain.requires, plain.taken) == ("declined-by-person", (ISSUE,), (REFUSE,))
