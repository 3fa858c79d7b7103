"""The staff of the service tests, one of each role (two leads), and how the ledger and the seats are asserted."""

from __future__ import annotations

from django.db import transaction

from activations.domain.decisions import Chosen
from activations.domain.ledger import Kind
from activations.domain.words import ROLES, Actor, Choice
from activations.models import Activation, KeyPurpose, LedgerEntry, License
from activations.models.activations import OCCUPYING
from activations.services.booking import portal_book
from activations.services.issue import Submission, submit_usage_request
from activations.services.licenses import FeatureTerm, LicenseCreated, create_license
from activations.services.signing import KeyMade, create_root, issue_key

AGENT = Actor("agent", ROLES["support-agent"])
LEAD = Actor("lead", ROLES["support-lead"])
SECOND_LEAD = Actor("second-lead", ROLES["support-lead"])
MANAGER = Actor("manager", ROLES["license-manager"])
AUDITOR = Actor("auditor", ROLES["auditor"])
ADMINISTRATOR = Actor("administrator", ROLES["administrator"])
EVERYONE = (AGENT, LEAD, MANAGER, AUDITOR, ADMINISTRATOR)

SOURCE = "test"


def make_keys() -> None:
    """A vendor root and the two signing keys."""
    root = create_root(name="Vendor root", actor=ADMINISTRATOR, source=SOURCE)
    assert isinstance(root, KeyMade), root
    for purpose in (KeyPurpose.USAGE_LICENSE, KeyPurpose.CHECKPOINT):
        made = issue_key(purpose=purpose, name=f"{purpose.value} key", actor=ADMINISTRATOR, source=SOURCE)
        assert isinstance(made, KeyMade), made


def make_license(*, allowed: int = 2, customer: str = "Acme Water", **terms: object) -> LicenseCreated:
    """What the license manager makes for a purchase: one feature without an end, unless `terms` say otherwise."""
    terms.setdefault("features", [FeatureTerm("mqtt-server")])
    made = create_license(customer=customer, allowed=allowed, actor=MANAGER, source=SOURCE, **terms)  # type: ignore[arg-type]
    assert isinstance(made, LicenseCreated), made
    return made


def book_many(count: int) -> None:
    """So many entries of the portal's own chain, in one booking."""
    with transaction.atomic(), portal_book(actor=AUDITOR, source=SOURCE) as book:
        for number in range(count):
            book.add(Kind.LEDGER_EXPORTED, {"entries": number})


def issue(
    text: str | bytes,
    *choices: Choice,
    actor: Actor = AGENT,
    activation_id: str | None = None,
    reason: str = "",
    dry_run: bool = False,
    expect: str | None = None,
) -> Submission:
    """Answers a Usage Request; fails the test when it did not reach the decision table."""
    result = submit_usage_request(
        source=text,
        actor=actor,
        origin=SOURCE,
        chosen=Chosen(frozenset(choices), activation_id),
        reason=reason,
        dry_run=dry_run,
        expect=expect,
    )
    assert isinstance(result, Submission), result
    return result


def answered(text: str | bytes, *choices: Choice, **how: object) -> str:
    """The Usage License block for a request; fails the test when there is none."""
    result = issue(text, *choices, **how)  # type: ignore[arg-type]
    assert result.usage_license is not None, result.decision
    return result.usage_license


def entries(chain: str, *, after: int = 0) -> list[tuple[int, str, str, str]]:
    """What the ledger says of a chain: (seq, actor, kind, reason), from the entry after `after`."""
    rows = LedgerEntry.objects.filter(chain=chain, seq__gt=after).order_by("seq")
    return list(rows.values_list("seq", "actor", "kind", "reason"))


def length(chain: str) -> int:
    return LedgerEntry.objects.filter(chain=chain).count()


def occupied(license_id: str) -> int:
    return Activation.objects.filter(license__license_id=license_id, state__in=OCCUPYING).count()


def license_row(license_id: str) -> License:
    return License.objects.get(license_id=license_id)
