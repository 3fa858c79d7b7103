"""Exports of the ledger: asked for, written in the background, fetched for a week."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from activations.api.base import LARGEST_NUMBER, SOURCE, Output, PortalView, Strict, done, found
from activations.api.choices import JOB_STATES
from activations.api.doors import Rule, actor_of
from activations.api.once import booked, once
from activations.api.problems import Stopped
from activations.domain.scopes import Scope
from activations.domain.staff_trail import StaffKind
from activations.domain.words import Ability, JobState
from activations.models import Job
from activations.services.exports import FORMATS
from activations.services.jobs import ledger_export, queue
from activations.services.list_files import MEDIA_TYPES
from activations.services.staff_trail import record

_MEDIA = [MEDIA_TYPES[format] for format in FORMATS]
_READ = Rule(Scope.READ_LEDGER, (Ability.READ_LEDGER,))


class ExportAsked(Strict):
    format = serializers.ChoiceField(
        choices=FORMATS, default=FORMATS[0], help_text="JSON Lines, which can be verified again, or CSV to read."
    )
    license_id = serializers.CharField(max_length=60, required=False, help_text="Only this license.")
    until = serializers.DateTimeField(required=False, help_text="Only entries up to then.")


class ExportOut(Output):
    """An export; its file can be fetched while `state` is done, for a week."""

    id = serializers.IntegerField(source="pk")
    state = serializers.ChoiceField(choices=JOB_STATES)
    format = serializers.CharField(source="asked_for.format")
    license_id = serializers.CharField(source="asked_for.license", allow_null=True)
    until = serializers.CharField(source="asked_for.until", allow_null=True)
    asked_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    done = serializers.IntegerField(help_text="Entries written so far.")
    total = serializers.IntegerField(allow_null=True)
    entries = serializers.IntegerField(source="result.entries", allow_null=True, default=None)
    bytes = serializers.IntegerField(source="result.bytes", allow_null=True, default=None)
    checkpoint = serializers.CharField(
        source="result.checkpoint", allow_null=True, default=None, help_text="The one that it belongs to: keep it."
    )
    problem = serializers.CharField(help_text="Why it failed.")


class ExportView(PortalView):
    queryset = Job.objects.filter(kind=ledger_export.KIND)
    rules: ClassVar[dict[str, Rule]] = dict.fromkeys(("create", "list", "retrieve", "file", "cancel"), _READ)

    @extend_schema(operation_id="ledger_exports_list", responses=ExportOut(many=True))
    def list(self, request: Request) -> Response:
        """The exports that this token or account asked for, newest first."""
        return self.page_of(self._mine(request), ExportOut)

    @extend_schema(
        operation_id="ledger_exports_create",
        request=ExportAsked,
        responses={202: OpenApiResponse(ExportOut, "It waits, or is being written.")},
    )
    @once
    def create(self, request: Request) -> Response:
        """Asks for the ledger as a file. That it was exported is booked when it is written."""
        sent = self.given(ExportAsked)
        job = done(
            ledger_export.ask_for_export(
                format=sent["format"],
                license_id=sent.get("license_id"),
                until=sent.get("until"),
                actor=actor_of(request),
                source=SOURCE,
            )
        )
        where = {"Location": f"/api/v1/ledger/exports/{job.pk}"}
        return booked(Response(ExportOut(job).data, status=202, headers=where))

    @extend_schema(operation_id="ledger_exports_get", responses=ExportOut)
    def retrieve(self, request: Request, export_id: int) -> Response:
        """How far it is."""
        return self.with_etag(ExportOut(self._named(request, export_id)).data)

    @extend_schema(
        operation_id="ledger_exports_file",
        responses={(200, media.partition(";")[0]): OpenApiTypes.BINARY for media in _MEDIA},
    )
    def file(self, request: Request, export_id: int) -> HttpResponseBase:
        """The file, as long as it is kept."""
        job = self._named(request, export_id)
        if job.state != JobState.DONE or not job.parts.exists():
            raise Stopped(
                409, "file-not-there", "There is no file: the export is not done, or it is older than a week. Ask anew."
            )
        format = job.asked_for["format"]
        record(StaffKind.FILE_DOWNLOADED, f"export {job.pk}", {"file": "ledger"}, actor=actor_of(request).name)
        response = StreamingHttpResponse(queue.file_of(job), content_type=MEDIA_TYPES[format])
        response["Content-Disposition"] = f'attachment; filename="ledger-{job.pk}.{format}"'
        response["Content-Length"] = str(job.result["bytes"])
        return response

    @extend_schema(operation_id="ledger_exports_cancel", responses={204: None})
    def cancel(self, request: Request, export_id: int) -> Response:
        """Cancels one that is not done yet."""
        job = self._named(request, export_id)
        done(queue.cancel(job.pk, actor=actor_of(request)))
        return Response(status=204)

    def _mine(self, request: Request) -> Any:
        return self.get_queryset().filter(asked_by=actor_of(request).name)

    def _named(self, request: Request, export_id: int) -> Job:
        row = self._mine(request).filter(pk=export_id).first() if export_id <= LARGEST_NUMBER else None
        job: Job = found(row, "export-unknown", f"export {export_id} of yours")
        return job
