"""The open door: a connected Chariot, or a helper who carries a block across, posts a Usage Request without a token."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from activations.api.base import Output, Strict, finish
from activations.api.problems import Stopped, problem, status_of
from activations.services.online import MOST_TEXT, TOO_LARGE, TOO_MANY, Waiting, answer_online
from activations.services.results import BadInput, Refused

MOST_BYTES = 6 * MOST_TEXT + 1_000  # JSON may write a letter as six
TOMORROW = 12 * 3600


class OnlineAsk(Strict):
    usage_request = serializers.CharField(
        allow_blank=True,
        trim_whitespace=False,
        help_text=f"The text block of the Usage Request, or a text of at most {MOST_TEXT} letters that holds it.",
    )


class OnlineAnswer(Output):
    """The Usage License, which only the Chariot that asked can install."""

    outcome = serializers.ChoiceField(choices=["issued", "re-sent"])
    code = serializers.CharField()
    message = serializers.CharField()
    usage_license = serializers.CharField(help_text="The text block.")
    usage_license_id = serializers.CharField()
    activation_id = serializers.CharField()
    license_id = serializers.CharField()


class OnlineWaits(Output):
    """A person at Support has to decide. Post the same Usage Request again after `retry_after` seconds."""

    outcome = serializers.ChoiceField(choices=["pending"])
    code = serializers.CharField()
    message = serializers.CharField()
    license_id = serializers.CharField()
    request_id = serializers.CharField()
    retry_after = serializers.IntegerField(help_text="Seconds; also in the header Retry-After.")


class OnlineUsageRequestView(APIView):
    """Anybody may post: the block proves itself. Throttled by address."""

    authentication_classes = ()
    permission_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        length = request.META.get("CONTENT_LENGTH") or "0"
        if int(length) > MOST_BYTES:
            raise Stopped(
                413, TOO_LARGE, f"The body has {length} bytes; {MOST_BYTES} are taken. Send only the Usage Request."
            )

    @extend_schema(
        operation_id="online_usage_request",
        summary="Get the Usage License for a Usage Request, where no person has to decide",
        request=OnlineAsk,
        responses={
            200: OnlineAnswer,
            202: OpenApiResponse(OnlineWaits, description="It waits on the desk. Post the same Usage Request again."),
        },
    )
    def post(self, request: Request) -> Response:
        read = OnlineAsk(data=request.data)
        read.is_valid(raise_exception=True)
        result = answer_online(source=read.validated_data["usage_request"])
        if isinstance(result, Refused | BadInput):
            return _refusal(result)
        if isinstance(result, Waiting):
            data = OnlineWaits({**vars(result), "outcome": "pending"}).data
            return Response(data, status=202, headers={"Retry-After": str(result.retry_after)})
        return Response(OnlineAnswer(result).data)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        finish(request, response)
        return super().finalize_response(request, response, *args, **kwargs)


def _refusal(result: Refused | BadInput) -> Response:
    """The problem. Of its particulars the License ID and the damaged lines: `request_id` is the call's there."""
    members: dict[str, Any] = {name: result.detail[name] for name in ("license_id", "lines") if name in result.detail}
    if result.code == TOO_MANY:
        headers = {"Retry-After": str(TOMORROW)}
        return problem(status=429, code=result.code, detail=result.message, headers=headers, **members)
    status = 413 if result.code == TOO_LARGE else status_of(result)
    return problem(status=status, code=result.code, detail=result.message, **members)


online_usage_request = OnlineUsageRequestView.as_view()
