"""The page that has the whole ledger checked, and shows when it last passed."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from activations.admin.access import actor_of, needs
from activations.admin.pages import page
from activations.domain.words import Ability, JobState
from activations.ledger_queries import witness_states
from activations.models import Job, LedgerCheckpoint, LedgerEntry
from activations.models.jobs import OPEN
from activations.services.jobs import queue
from activations.services.jobs.ledger_check import KIND, ask_for_check, last_check, last_passed
from activations.services.results import Refused

NEWEST = 10


@never_cache
@needs(Ability.READ_LEDGER)
@require_http_methods(["GET", "HEAD", "POST"])
def check(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _act(request)
    checks = Job.objects.filter(kind=KIND)
    running = checks.filter(state__in=OPEN).first()
    context = {
        "running": running,
        "mine": running is not None and running.asked_by == actor_of(request).name,
        "last": last_check(),
        "passed": last_passed(),
        "earlier": checks.exclude(state__in=OPEN)[:NEWEST],
        "came_to_nothing": _came_to_nothing(last_check()),
        "checkpoint": LedgerCheckpoint.objects.first(),
        "entries": LedgerEntry.objects.count(),
        "witnesses": witness_states(),
        "refresh": 3 if running else 0,
    }
    return page(request, "audit/check.html", "Check of the ledger", context)


def _came_to_nothing(last: Job | None) -> str:
    """Why a check that was begun after the last one that ended told nothing; "" when none was."""
    failed = Job.objects.filter(kind=KIND, state=JobState.FAILED).first()
    if failed is None or failed.ended_at is None:
        return ""
    since = last.ended_at if last is not None else None
    return failed.problem if since is None or failed.ended_at > since else ""


def _act(request: HttpRequest) -> HttpResponse:
    if "cancel" in request.POST and request.POST["cancel"].isdecimal():
        problem = queue.cancel(int(request.POST["cancel"]), actor=actor_of(request))
        said = problem.message if problem else "The check was cancelled."
        (messages.error if problem else messages.success)(request, said)
        return redirect("admin:audit_check")
    asked = ask_for_check(actor=actor_of(request))
    if isinstance(asked, Refused):
        messages.error(request, asked.message)
    return redirect("admin:audit_check")
