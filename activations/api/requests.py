"""Usage Requests: submit one, see what it would lead to, confirm, and get the Usage License that answers it."""

from __future__ import annotations

import base64
from typing import Any, ClassVar

import django_filters
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from activations import queries
from activations.api.base import SOURCE, LicenseIdFilter, Output, PortalView, Strict, found, said
from activations.api.choices import CHOICES, OUTCOMES, REQUEST_STATES
from activations.api.doors import Rule, actor_of, token_of
from activations.api.once import booked, once
from activations.api.problems import problem, refusal
from activations.domain.decisions import Chosen
from activations.domain.scopes import Scope
from activations.domain.words import Ability, Choice, Outcome
from activations.models import UsageRequest
from activations.services.issue import Submission, submit_usage_request
from activations.services.mail_text import source_of_file, text_of_paste
from activations.services.results import LONGEST_REASON, BadInput, Refused

MOST_TEXT = 2_000_000
ID = r"[0-9a-f]{32}"


class Submit(Strict):
    """The Usage Request: `text` is the block, or any text with it in it; `mail` a whole mail as it travelled."""

    text = serializers.CharField(
        required=False, max_length=MOST_TEXT, trim_whitespace=False, help_text="The block, or a text that holds it."
    )
    mail = serializers.CharField(
        required=False, max_length=MOST_TEXT, help_text="The source of a mail (RFC 5322), in base64."
    )
    decide = serializers.ListField(
        child=serializers.ChoiceField(choices=CHOICES),
        default=list,
        max_length=10,
        help_text="What a person chose, of the `options` of a dry run; no token can.",
    )
    activation_id = serializers.CharField(
        required=False, max_length=60, help_text="The activation that is meant, where several match."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("text" in attrs) == ("mail" in attrs):
            raise serializers.ValidationError("Send either text or mail.", code="text-or-mail")
        if "mail" in attrs:
            try:
                # Programs that write base64 break its lines.
                attrs["mail"] = base64.b64decode("".join(attrs["mail"].split()), validate=True)
            except ValueError:
                raise serializers.ValidationError({"mail": "This is not base64."}, code="not-base64") from None
        return attrs


class Confirm(Submit):
    reason = serializers.CharField(
        default="", allow_blank=True, max_length=LONGEST_REASON, help_text="Why; due where a lead decides."
    )
    expect = serializers.CharField(
        required=False, max_length=64, help_text="The `digest` of the dry run: only what it showed is booked."
    )


class Option(Output):
    decide = serializers.CharField()
    activation_id = serializers.CharField(allow_null=True)
    ability = serializers.CharField(help_text="Who may choose this.")
    explanation = serializers.CharField()


class Decision(Output):
    """What a Usage Request leads to (docs/desk.md)."""

    outcome = serializers.ChoiceField(choices=OUTCOMES)
    code = serializers.CharField()
    message = serializers.CharField(help_text="For staff.")
    customer_message = serializers.CharField()
    warnings = serializers.ListField(child=serializers.CharField())
    booked = serializers.BooleanField()
    digest = serializers.CharField(help_text="Of the decision and the facts it was made from.")
    license_id = serializers.CharField()
    request_id = serializers.CharField()
    activation_id = serializers.CharField(allow_null=True)
    usage_license_id = serializers.CharField(allow_null=True)
    usage_license = serializers.CharField(allow_null=True, help_text="The text block to send to the customer.")
    seats_before = serializers.IntegerField(allow_null=True)
    seats_after = serializers.IntegerField(allow_null=True)
    repaired_lines = serializers.ListField(child=serializers.IntegerField())
    options = Option(many=True)


class UsageRequestOut(Output):
    request_id = serializers.CharField()
    license_id = serializers.CharField(source="license.license_id")
    state = serializers.ChoiceField(choices=REQUEST_STATES)
    code = serializers.CharField(help_text="The decision that it led to.")
    hostname = serializers.CharField()
    version = serializers.CharField()
    counter = serializers.IntegerField()
    made_at = serializers.DateTimeField(help_text="By the clock of its host.")
    received_at = serializers.DateTimeField()
    received_by = serializers.CharField()


class Answered(UsageRequestOut):
    text = serializers.CharField(help_text="The text block, repaired.")
    usage_license_id = serializers.SerializerMethodField()
    usage_license = serializers.SerializerMethodField()
    activation_id = serializers.SerializerMethodField()

    def get_usage_license_id(self, row: UsageRequest) -> str | None:
        answer = queries.answer_to(row)
        return answer.usage_license_id if answer else None

    def get_usage_license(self, row: UsageRequest) -> str | None:
        answer = queries.answer_to(row)
        return answer.text if answer else None

    def get_activation_id(self, row: UsageRequest) -> str | None:
        answer = queries.answer_to(row)
        return answer.activation.activation_id if answer else None


class RequestFilter(django_filters.FilterSet):
    license_id = LicenseIdFilter(field_name="license__license_id", label="The License ID.")
    state = django_filters.ChoiceFilter(choices=REQUEST_STATES)

    class Meta:
        model = UsageRequest
        fields: ClassVar[list[str]] = ["license_id", "state"]


_BLOCK = "CHARIOT USAGE REQUEST ... (the whole block as Chariot shows it)"


class UsageRequestView(PortalView):
    queryset = UsageRequest.objects.select_related("license").defer("payload", "received")
    filterset_class = RequestFilter
    rules: ClassVar[dict[str, Rule]] = {
        "list": Rule(Scope.READ_REQUESTS),
        "retrieve": Rule(Scope.READ_REQUESTS),
        "dry_run": Rule(Scope.SUBMIT_REQUESTS, (Ability.ISSUE,)),
        "create": Rule(Scope.SUBMIT_REQUESTS, (Ability.ISSUE,)),
    }

    @extend_schema(operation_id="usage_requests_list", responses=UsageRequestOut(many=True))
    def list(self, request: Request) -> Response:
        """Usage Requests that proved their License Key, newest first."""
        return self.page_of(self.get_queryset(), UsageRequestOut)

    @extend_schema(operation_id="usage_requests_get", responses=Answered)
    def retrieve(self, request: Request, request_id: str) -> Response:
        """One Usage Request and, once there is one, the Usage License that answered it."""
        row = self.get_queryset().filter(request_id=request_id).first()
        return self.with_etag(said(Answered(found(row, "request-unknown", f"Usage Request {request_id}"))))

    @extend_schema(
        operation_id="usage_requests_dry_run",
        request=Submit,
        responses=Decision,
        examples=[OpenApiExample("A pasted block", request_only=True, value={"text": _BLOCK})],
    )
    def dry_run(self, request: Request) -> Response:
        """What this Usage Request would lead to. Books nothing, and counts as never seen."""
        result = self._submit(self.given(Submit), dry_run=True)
        return Response(result.as_json()) if isinstance(result, Submission) else refusal(result)

    @extend_schema(
        operation_id="usage_requests_submit",
        request=Confirm,
        responses={
            200: Decision,
            202: OpenApiResponse(Decision, "A person has to choose: it waits on the desk. Get it again later."),
        },
        examples=[OpenApiExample("A pasted block", request_only=True, value={"text": _BLOCK})],
    )
    @once
    def create(self, request: Request) -> Response:
        """Decides and books. Issued or sent again: 200 with the Usage License. Waiting for a person: 202. Refused: 409
        with the code of the decision, which is kept with the request.
        """
        sent = self.given(Confirm)
        if sent["decide"] and token_of(request) is not None:
            detail = "A person chooses, on the desk or signed in. Send the request without decide: it waits for them."
            return problem(status=403, code="not-allowed", detail=detail)
        result = self._submit(sent, dry_run=False)
        if not isinstance(result, Submission):
            return refusal(result)  # what could not be read is kept in the intake log
        answer = _answer(result)
        return booked(answer) if result.booked else answer

    def _submit(self, sent: dict[str, Any], *, dry_run: bool) -> Submission | Refused | BadInput:
        return submit_usage_request(
            source=source_of_file(sent["mail"]) if "mail" in sent else text_of_paste(sent["text"]),
            actor=actor_of(self.request),
            origin=SOURCE,
            dry_run=dry_run,
            chosen=Chosen(frozenset(Choice(each) for each in sent["decide"]), sent.get("activation_id")),
            expect=sent.get("expect"),
            reason=sent.get("reason", ""),
        )


def _answer(result: Submission) -> Response:
    data = result.as_json()
    if result.stale:
        detail = "Something changed since the dry run, so nothing was booked. `decision` is how it stands now."
        return problem(status=409, code="facts-changed", detail=detail, decision=data)
    if result.decision.outcome is Outcome.REFUSED:
        return problem(status=409, code=data["code"], detail=data["message"], decision=data)
    where = {"Location": f"/api/v1/usage-requests/{result.request_id}"}
    return Response(data, status=202 if result.decision.outcome is Outcome.PENDING else 200, headers=where)
