"""What the API's document says in prose: of the whole, of each group of operations, and of each one in a line."""

from __future__ import annotations

ABOUT = """
Licenses, Usage Requests, activations, restorations and the ledger, for other systems and for connected Chariots.

**Who calls.** Another system sends a token, `Authorization: Bearer clt_...`; an administrator makes it, with the scopes
that it needs. Staff who are signed in to the portal use their session, with the CSRF token in `X-CSRFToken`. An
operation says which scope and which ability it asks for. What needs a person's decision no token can do.

**Sending again.** Each operation that books needs an `Idempotency-Key`, a value of your own for one call. The same call
under the same key is answered as before (`Idempotency-Replayed: true`) for seven days, and books nothing twice. The key
with another call is refused: 422 `idempotency-key-reused`. What booked nothing can be sent again under its key.

**Changes.** A GET of one thing has an `ETag`. A change sends it as `If-Match`: 412 when somebody was faster, 428 where
it is due and missing. `If-None-Match` on a GET is answered by 304 when nothing changed.

**Errors** are Problem Details (RFC 9457, `application/problem+json`). Compare `code`, which is stable; show `detail`,
which says what to do. 400: the shape is wrong. 401, 403: who calls, and what they may. 404: it is not there. 409: a
rule says no, as things stand. 422: it cannot be right. Members and parameters that are not known are refused.

**Lists** come a page at a time, `page_size` 1 to 200: follow `next` until it is null.

**Limits.** A token has a number of requests a minute: `RateLimit-Policy` and `RateLimit` tell it. After
429 wait as long as `Retry-After` says.

**Times** are in UTC, as ISO 8601 writes them.

**Versions.** New members of answers, new operations and new codes may come at any time: ignore what you do not know.
Anything else is a new version under an address of its own. An operation that will go has the headers `Deprecation`
(RFC 9745) and `Sunset` (RFC 8594). A version lives 12 months after the one that follows it; v1 stays until then.
""".strip()

TAGS = {
    "Customers": "Who bought, and whom we email. A customer is made with its first license.",
    "Licenses": "Created on purchase; their terms changed; suspended, reinstated, revoked; their License Key replaced.",
    "Usage Requests": "What a Chariot asks with: see what it would lead to, submit it, get the Usage License.",
    "Activations": "Which hosts hold the activations of a license; freed by a deactivation code, or marked as lost.",
    "Restorations": "Cases that give the seat of a lost host back. Two people decide.",
    "Ledger": "Every booking, in order and unchangeable: entries, exports, checkpoints and proofs.",
    "Past": "Licenses as they were at any moment, from the ledger alone.",
    "Online": "The open door for Chariots that are connected: no token, the Usage Request proves itself.",
}

# The group of an operation, by the beginning of its address below /api/v1/.
TAG_OF = {
    "customers": "Customers",
    "licenses": "Licenses",
    "usage-requests": "Usage Requests",
    "activations": "Activations",
    "deactivations": "Activations",
    "restorations": "Restorations",
    "ledger": "Ledger",
    "as-of": "Past",
    "online": "Online",
}

SUMMARIES = {
    "activations_get": "Get an activation",
    "activations_list": "List activations",
    "activations_mark_lost": "Mark an activation as lost",
    "as_of_license": "A license at a moment",
    "as_of_licenses": "All licenses at a moment",
    "customers_add_contact": "Add a contact to a customer",
    "customers_get": "Get a customer",
    "customers_list": "List customers",
    "deactivations_create": "Deactivate by code",
    "ledger_checkpoints_get": "Get a checkpoint",
    "ledger_checkpoints_list": "List checkpoints",
    "ledger_entries_get": "Get an entry",
    "ledger_entries_list": "List entries",
    "ledger_exports_cancel": "Cancel an export",
    "ledger_exports_create": "Ask for an export",
    "ledger_exports_file": "Fetch the file of an export",
    "ledger_exports_get": "Get an export",
    "ledger_exports_list": "List exports",
    "ledger_prove_consistency": "Prove that nothing before was changed",
    "ledger_prove_inclusion": "Prove that an entry is in the ledger",
    "licenses_change": "Change a license",
    "licenses_create": "Create a license",
    "licenses_get": "Get a license",
    "licenses_list": "List licenses",
    "licenses_reinstate": "Reinstate a license",
    "licenses_replace_key": "Replace a License Key",
    "licenses_revoke": "Revoke a license",
    "licenses_suspend": "Suspend a license",
    "online_usage_request": "Get a Usage License online",
    "restorations_approve": "Approve a restoration",
    "restorations_deny": "Deny a restoration",
    "restorations_get": "Get a restoration",
    "restorations_list": "List restorations",
    "restorations_request": "Request a restoration",
    "usage_requests_dry_run": "See what a Usage Request would lead to",
    "usage_requests_get": "Get a Usage Request",
    "usage_requests_list": "List Usage Requests",
    "usage_requests_submit": "Submit a Usage Request",
}
