"""The exports a person asked for: how far each one is, to cancel, to fetch."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from activations.admin import list_export
from activations.admin.access import actor_of, needs
from activations.admin.pages import page
from activations.domain.staff_trail import StaffKind
from activations.domain.words import JobState
from activations.models import Job, JobPart
from activations.models.jobs import OPEN
from activations.services.jobs import queue
from activations.services.staff_trail import record

NEWEST = 50


def _mine(request: HttpRequest) -> Any:
    user = request.user
    return queue.asked_by(user).filter(kind=list_export.KIND) if isinstance(user, User) else Job.objects.none()


@never_cache
@needs()
@require_http_methods(["GET", "HEAD", "POST"])
def exports(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        number = request.POST.get("cancel", "")
        if number.isdecimal():
            problem = queue.cancel(int(number), actor=actor_of(request))
            said = problem.message if problem else "The export was cancelled."
            (messages.error if problem else messages.success)(request, said)
        return redirect("admin:exports")
    kept = JobPart.objects.filter(job=OuterRef("pk"))
    jobs = list(_mine(request).annotate(kept=Exists(kept))[:NEWEST])
    context = {
        "rows": [(job, _filter_words(job)) for job in jobs],
        "refresh": 3 if any(job.state in OPEN for job in jobs) else 0,
        "kept_days": queue.KEPT.days,
    }
    return page(request, "audit/exports.html", "My exports", context)


def _filter_words(job: Job) -> str:
    query = QueryDict(job.asked_for["query"])
    return (
        "; ".join(f"{name.removesuffix('__exact')}: {', '.join(query.getlist(name))}" for name in query) or "all rows"
    )


@never_cache
@needs()
@require_safe
def exported_file(request: HttpRequest, pk: int) -> HttpResponseBase:
    job = _mine(request).filter(pk=pk, state=JobState.DONE).first()
    if job is None or not job.parts.exists():
        raise Http404("This file is not there: it was not yours, or it is older than a week. Export the list again.")
    shown = list_export.ask_page(job)
    if shown is None or not shown.has_view_permission(request):
        raise PermissionDenied("Your role does not see this list any more, so it cannot fetch its export.")
    name = job.result.get("file", f"export.{job.asked_for['format']}")
    record(StaffKind.FILE_DOWNLOADED, f"export {job.pk}", {"file": job.asked_for["list"]})
    response = StreamingHttpResponse(queue.file_of(job), content_type=list_export.media_type(name))
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Content-Length"] = str(job.result["bytes"])
    return response
