"""The files of a restoration case: adding them, and handing them out as downloads and never as pages."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import content_disposition_header

from activations.admin.access import actor_of, may, needs
from activations.admin.base import page_of
from activations.domain.staff_trail import StaffKind
from activations.domain.words import Ability
from activations.models import Evidence, Restoration
from activations.services.evidence import LARGEST_FILE, EvidenceAdded, add_evidence, too_large
from activations.services.results import BadInput, Refused
from activations.services.staff_trail import record

SOURCE = "admin"


@needs(Ability.REQUEST_RESTORATION, Ability.DECIDE_RESTORATION)
def add(request: HttpRequest, pk: int) -> HttpResponse:
    """Each file is judged for itself: one that cannot be kept does not cost the others."""
    case = get_object_or_404(Restoration, pk=pk)
    files = request.FILES.getlist("files")
    if request.method == "POST" and not files:
        messages.error(request, "No file was chosen, so nothing was added. Choose one or more, then press Add files.")
    results = [_added(request, case, file) for file in files]
    names = [result.name for result in results if isinstance(result, EvidenceAdded)]
    if names:
        messages.success(request, f"Added: {', '.join(names)}.")
    for result in results:
        if not isinstance(result, EvidenceAdded):
            messages.error(request, f"Not added: {result.message}")
    return redirect(page_of(case))  # its top, where the messages are


def _added(request: HttpRequest, case: Restoration, file: UploadedFile[bytes]) -> EvidenceAdded | Refused | BadInput:
    name = file.name or ""
    if (file.size or 0) > LARGEST_FILE:
        return too_large(name)  # without reading it into memory
    return add_evidence(
        restoration_id=case.restoration_id,
        name=name,
        content=file.read(),
        actor=actor_of(request),
        source=SOURCE,
    )


def download(request: HttpRequest, pk: int, evidence_pk: int) -> HttpResponse:
    """The file as it was given. Whatever it holds, no browser runs or shows it on the portal's pages."""
    if not may(request):
        raise PermissionDenied("Your account has no role in the portal. Ask an administrator for one.")
    file = get_object_or_404(Evidence.objects.select_related("restoration"), pk=evidence_pk, restoration_id=pk)
    record(StaffKind.FILE_DOWNLOADED, file.restoration.restoration_id, {"file": "evidence", "sha256": file.sha256})
    response = HttpResponse(bytes(file.content), content_type="application/octet-stream")
    response["Content-Disposition"] = content_disposition_header(True, file.name) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-store"
    return response
