"""What a machine's token may be allowed to do. A scope never lets it do what needs a person's decision (Design 3)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from activations.domain.words import Ability


class Scope(StrEnum):
    """Names as OAuth 2.0 writes scopes (RFC 6749, 3.3): what, then how."""

    READ_LICENSES = "licenses:read"
    CREATE_LICENSES = "licenses:create"
    CHANGE_LICENSES = "licenses:change"
    READ_REQUESTS = "requests:read"
    SUBMIT_REQUESTS = "requests:submit"
    DEACTIVATE = "activations:deactivate"
    MARK_LOST = "activations:mark-lost"
    REQUEST_RESTORATIONS = "restorations:request"
    READ_LEDGER = "ledger:read"


# Deciding as a lead and deciding restorations have none: a machine is nobody who could answer for them. Showing a
# License Key has none either; it is given once, to whoever creates the license.
ABILITIES: dict[Scope, frozenset[Ability]] = {
    Scope.READ_LICENSES: frozenset(),
    Scope.CREATE_LICENSES: frozenset({Ability.CREATE_LICENSE}),
    Scope.CHANGE_LICENSES: frozenset({Ability.CHANGE_LICENSE}),
    Scope.READ_REQUESTS: frozenset(),
    Scope.SUBMIT_REQUESTS: frozenset({Ability.ISSUE}),
    Scope.DEACTIVATE: frozenset({Ability.DEACTIVATE}),
    Scope.MARK_LOST: frozenset({Ability.MARK_LOST}),
    Scope.REQUEST_RESTORATIONS: frozenset({Ability.REQUEST_RESTORATION}),
    Scope.READ_LEDGER: frozenset({Ability.READ_LEDGER}),
}

MEANINGS: dict[Scope, str] = {
    Scope.READ_LICENSES: "Read customers, licenses, activations and restoration cases",
    Scope.CREATE_LICENSES: "Create licenses; the answer holds the License Key, once",
    Scope.CHANGE_LICENSES: "Change the terms of licenses, suspend, reinstate and revoke them, replace License Keys",
    Scope.READ_REQUESTS: "Read Usage Requests and the Usage Licenses that answered them",
    Scope.SUBMIT_REQUESTS: "Submit Usage Requests and get Usage Licenses",
    Scope.DEACTIVATE: "Free activations by their deactivation code",
    Scope.MARK_LOST: "Mark activations as lost",
    Scope.REQUEST_RESTORATIONS: "Open restoration cases; two people decide all the same",
    Scope.READ_LEDGER: "Read and export the ledger, its checkpoints and proofs, and the past",
}

# The same in a few words, for lists.
SHORT: dict[Scope, str] = {
    Scope.READ_LICENSES: "read licenses",
    Scope.CREATE_LICENSES: "create licenses",
    Scope.CHANGE_LICENSES: "change licenses",
    Scope.READ_REQUESTS: "read requests",
    Scope.SUBMIT_REQUESTS: "submit requests",
    Scope.DEACTIVATE: "deactivate",
    Scope.MARK_LOST: "mark lost",
    Scope.REQUEST_RESTORATIONS: "request restorations",
    Scope.READ_LEDGER: "read the ledger",
}


def abilities_of(scopes: Iterable[Scope]) -> frozenset[Ability]:
    return frozenset().union(*(ABILITIES[scope] for scope in scopes))
