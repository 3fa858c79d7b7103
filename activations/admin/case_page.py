"""The page of a restoration case: everything its reviewer should know, on one page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from activations import case_queries
from activations.admin.access import DESK, actor_of, may
from activations.admin.base import badge
from activations.admin.pages import page
from activations.domain.restoring import Suggestion, Verdict, suggest
from activations.domain.words import Ability, ActivationState, RestorationState
from activations.models import Restoration
from activations.services import quota
from activations.services.evidence import MOST_FILES
from activations.services.tokens import people_behind

_TONES = {Verdict.APPROVE: "good", Verdict.LOOK_CLOSER: "wait", Verdict.DENY: "bad"}
_SIZES = ((1_000_000, "MB"), (1_000, "kB"))


def restoration_page(request: HttpRequest, case: Restoration) -> HttpResponse:
    """The case comes with its activation, seat, instance, license and customer."""
    now = timezone.now()
    used = quota.quota_of(case.activation.license.customer_id, now)
    seen = case_queries.review(case, now=now, quota=used)
    is_open = case.state == RestorationState.REQUESTED
    files = [(file, size_words(file.size)) for file in case_queries.evidence_of(case)]
    tombstones = case_queries.sighted_tombstones_of(case)
    context = {
        "case": case,
        "activation": case.activation,
        "state": badge(case.state),
        "activation_state": badge(case.activation.state),
        "open": is_open,
        "why_not": why_not(request, case),
        "quota": used,
        "loss": seen.loss,
        "still_lost": case.activation.state == ActivationState.LOST,
        "earlier": [(row, badge(row.state)) for row in seen.earlier[: case_queries.MOST_EARLIER]],
        "more_earlier": len(seen.earlier) > case_queries.MOST_EARLIER,
        "sighted": seen.sighted,
        "tombstones": tombstones,
        "seen_again": [row for row in tombstones if row.sightings and not row.settled],
        "files": files,
        "files_full": len(files) >= MOST_FILES,
        "may_add": is_open and may(request, Ability.REQUEST_RESTORATION, Ability.DECIDE_RESTORATION),
        "may_use_desk": may(request, *DESK),
        "reply": case.replies.first(),
        **(_suggestion(suggest(seen.facts)) if is_open else {}),
    }
    return page(request, "desk/restoration.html", case.restoration_id, context)


def why_not(request: HttpRequest, case: Restoration) -> str:
    """Why this user cannot decide the case; empty when they can."""
    if not may(request, Ability.DECIDE_RESTORATION):
        return "Your role cannot decide restorations. Ask a support lead."
    if actor_of(request).name in people_behind(case.requested_by):
        return "You opened this case, so another person must decide it."
    return ""


def size_words(size: int) -> str:
    """A file size as people say it: 180 bytes, 12 kB, 3.4 MB."""
    for unit, name in _SIZES:
        if size >= unit:
            return f"{size / unit:.1f} {name}" if unit == 1_000_000 else f"{round(size / unit)} {name}"
    return f"{size} bytes"


def _suggestion(suggestion: Suggestion) -> dict[str, Any]:
    return {"suggestion": suggestion, "tone": _TONES[suggestion.verdict]}
