"""The page for whoever carries a block across the air gap with a phone or laptop: paste it, or photograph its QR code.

The same service as the API's open door, for people: no sign-in, no JavaScript, no cookie but that of the form. Nothing
of it is kept in the browser: each form of an answer carries the block itself.
"""

from __future__ import annotations

import re
from typing import Any

from chariot_license.protocol.block import Kind
from chariot_license.protocol.errors import BlockError
from chariot_license.protocol.qr import qr_svg
from chariot_license.protocol.reader import read_block
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from activations.addresses import client_address, network_of
from activations.api.throttling import count
from activations.mailtext.pictures import read_picture
from activations.services.intake import without_secrets
from activations.services.online import MOST_TEXT, Answered, Waiting, answer_online
from activations.services.results import BadInput, Refused

MOST_PICTURE = 15_000_000  # bytes; a phone's photo has some 5 million
MOST_BODY = MOST_PICTURE + 1_000_000
PICTURES_A_MINUTE = 6  # from one address: a picture takes much longer to read than a text
_MEASURES = re.compile(r'width="(\d+)" height="(\d+)"')
PAGE = "online/activate.html"


class Trouble(Exception):
    """What stops the page, as a sentence that says what to do."""


# Exempt here and protected inside: the check reads the whole form, which is looked at for its size first.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def activate(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        allowance = count("anonymous", network_of(client_address(request)), settings.ONLINE_RATE)
        if allowance.left < 0:
            words = f"Too many requests came from your network. Wait {allowance.seconds} seconds, then go on."
            response = _page(request, status=429, error=words)
            response["Retry-After"] = str(allowance.seconds)
            return response
        if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BODY:
            return _page(request, status=413, error=_TOO_LARGE)
    return _form(request)


@csrf_protect
def _form(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request)
    try:
        text = _text_of(request)
    except Trouble as trouble:
        return _page(request, status=422, error=str(trouble), typed=without_secrets(request.POST.get("text", "")))
    result = answer_online(source=text)
    if isinstance(result, Answered):
        return _answered(request, text, result)
    if isinstance(result, Waiting):
        return _page(request, waiting=result, block=_block(text))
    return _refused(request, text, result)


def _text_of(request: HttpRequest) -> str:
    """What was pasted, or what the QR codes of the picture say. A picture wins: it was chosen last."""
    picture = request.FILES.get("picture")
    if picture is None:
        text = request.POST.get("text", "").replace("\x00", "\ufffd")
        if not text.strip():
            raise Trouble("Paste the Usage Request, or choose a picture of its QR code.")
        return text
    if count("anonymous-picture", network_of(client_address(request)), PICTURES_A_MINUTE).left < 0:
        raise Trouble("Too many pictures came from your network. Wait a minute, or paste the text instead.")
    if (picture.size or 0) > MOST_PICTURE:
        raise Trouble(_TOO_LARGE)
    found = read_picture(picture.read())
    if found.trouble:
        raise Trouble(f"The picture could not be looked at: {found.trouble}. Take another one, or paste the text.")
    if not found.payloads:
        raise Trouble(
            "No QR code was found in this picture. Take it again: the whole code with its white edge, sharp, from the "
            "front. Or paste the text."
        )
    return "\n".join(found.payloads)


def _answered(request: HttpRequest, text: str, result: Answered) -> HttpResponse:
    if "download" in request.POST:
        response = HttpResponse(result.usage_license, content_type="text/plain; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{result.usage_license_id}.txt"'
        return response
    return _page(request, answer=result, block=_block(text), code=_qr(result.usage_license))


def _refused(request: HttpRequest, text: str, result: Refused | BadInput) -> HttpResponse:
    if isinstance(result, BadInput):
        typed = without_secrets(text) if len(text) <= MOST_TEXT and "picture" not in request.FILES else ""
        return _page(request, status=422, error=result.message, typed=typed)
    return _page(request, status=409, refused=result)


def _block(text: str) -> str:
    """The Usage Request alone, for the forms of the answer: it was read a moment ago."""
    return read_block(text, Kind.REQUEST).text


def _qr(usage_license: str) -> SafeString | None:
    try:
        drawn = qr_svg(Kind.LICENSE, read_block(usage_license, Kind.LICENSE).data)
    except BlockError:
        return None  # of many features: the text is there
    # Sized by its place: without fixed measures, and with the ones to scale by.
    drawn = _MEASURES.sub(r'viewBox="0 0 \1 \2"', drawn, count=1)
    return mark_safe(drawn)  # drawn here, of squares and a fixed title  # noqa: S308  # nosec B308 B703


def _page(request: HttpRequest, *, status: int = 200, **context: Any) -> HttpResponse:
    return render(request, PAGE, {"typed": "", "error": "", **context}, status=status)


_TOO_LARGE = f"This file is larger than {MOST_PICTURE // 1_000_000} MB. Take a smaller picture, or paste the text."
