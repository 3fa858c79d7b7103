"""Files of a mail, and the mail itself, handed out as downloads and never as pages."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from activations.admin.access import may, needs
from activations.admin.conversation import MAY_HOLD_KEYS
from activations.admin.inbox import READERS
from activations.models import IncomingMail
from activations.services import vault
from activations.services.post.keeping import source_of
from activations.services.post.reading import look_again
from activations.services.secret_text import secret_in_bytes

NO_KEY = "This file may hold a License Key or a deactivation code. A support lead or a license manager can download it."


@never_cache
@needs(*READERS)
@require_safe
def attachment(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """The attached file as it came. One in which a secret is found is for those who may see License Keys."""
    mail = _mail(pk)
    try:
        files = look_again(mail).attachments
    except vault.VaultError:
        raise Http404("The original of this mail cannot be opened.") from None
    if not 1 <= number <= len(files):
        raise Http404("This mail has no such file.")
    file = files[number - 1]
    if not may(request, *MAY_HOLD_KEYS) and secret_in_bytes(file.data):
        raise PermissionDenied(NO_KEY)
    return _download(file.data, file.name or f"file-{number}")


@never_cache
@needs(*MAY_HOLD_KEYS)
@require_safe
def original(request: HttpRequest, pk: int) -> HttpResponse:
    """The mail byte for byte: there may be a License Key in it."""
    mail = _mail(pk)
    try:
        return _download(source_of(mail), f"mail-{mail.pk}.eml")
    except vault.VaultError:
        raise Http404("The original of this mail cannot be opened.") from None


def _mail(pk: int) -> IncomingMail:
    return get_object_or_404(IncomingMail.objects.select_related("source"), pk=pk)


def _download(data: bytes, name: str) -> HttpResponse:
    response = HttpResponse(data, content_type="application/octet-stream")
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-store"
    return response
