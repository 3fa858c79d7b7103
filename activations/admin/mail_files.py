"""Files of a mail, and the mail itself, handed out as downloads and never as pages."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from activations.admin import actions
from activations.admin.access import actor_of, may, needs
from activations.admin.inbox import READERS
from activations.domain.staff_trail import StaffKind
from activations.models import IncomingMail
from activations.services import vault
from activations.services.post.handing import TAKERS, take
from activations.services.post.reading import look_again
from activations.services.secret_text import secret_in_bytes
from activations.services.staff_trail import record

SOURCE = "admin"
NO_KEY = "This file may hold a License Key or a deactivation code. A support lead or a license manager can download it."
BOOKED = "It is handed out with your name and the reason, which are booked, as when a License Key is shown."


@never_cache
@needs(*READERS)
@require_http_methods(["GET", "HEAD", "POST"])
def attachment(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """The attached file as it came. One with a secret in it is for those who may see License Keys, and is booked."""
    mail = _mail(pk)
    try:
        files = look_again(mail).attachments
    except vault.VaultError:
        raise Http404("The original of this mail was erased, or cannot be opened.") from None
    if not 1 <= number <= len(files):
        raise Http404("This mail has no such file.")
    file = files[number - 1]
    name = file.name or f"file-{number}"
    if not secret_in_bytes(file.data):
        record(StaffKind.FILE_DOWNLOADED, f"mail {mail.pk}", {"file": "attachment", "number": number})
        return _download(file.data, name)
    if not may(request, *TAKERS):
        raise PermissionDenied(NO_KEY)
    return _asked(request, mail, number, name, f"A License Key or a deactivation code was found in this file. {BOOKED}")


@never_cache
@needs(*TAKERS)
@require_http_methods(["GET", "HEAD", "POST"])
def original(request: HttpRequest, pk: int) -> HttpResponse:
    """The mail byte for byte. Nobody can tell of every mail whether there is a License Key in it, so each is booked."""
    mail = _mail(pk)
    what = "The original may hold what pages black out: License Keys and deactivation codes."
    return _asked(request, mail, 0, f"mail-{mail.pk}.eml", f"{what} {BOOKED}")


def _asked(request: HttpRequest, mail: IncomingMail, number: int, name: str, why: str) -> HttpResponse:
    """Asks for the reason, and answers with the file."""
    back = reverse("admin:inbox_conversation", args=[mail.conversation_id]) if mail.conversation_id else ""
    back = back or reverse("admin:inbox")
    action = actions.Action(
        title="Download a file of a mail" if number else "Download the original of a mail",
        explanation=why,
        button="Download",
        facts=[
            ("Mail", str(mail)),
            ("From", mail.from_address or "nobody named"),
            ("Arrived", f"{mail.fetched_at:%Y-%m-%d %H:%M} UTC"),
        ],
        back=back,
        perform=lambda reason: take(
            mail_pk=mail.pk, file=number, actor=actor_of(request), source=SOURCE, reason=reason
        ),
        done=lambda _: ("It was handed out to you. To download it again, give a reason again.", back),
    )
    return actions.run(request, action, lambda taken: _download(taken.data, name))


def _mail(pk: int) -> IncomingMail:
    return get_object_or_404(IncomingMail.objects.select_related("source"), pk=pk)


def _download(data: bytes, name: str) -> HttpResponse:
    response = HttpResponse(data, content_type="application/octet-stream")
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-store"
    return response
