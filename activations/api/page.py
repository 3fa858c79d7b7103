"""The API's document as a page to read and to try: Swagger UI, which needs nothing from the internet."""

from __future__ import annotations

from csp.constants import SELF
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

# Swagger UI draws its arrows from data: addresses in its style sheet, and sets styles from script, which no policy
# asks about. Scripts and style sheets stay those of our own files.
POLICY = {"img-src": [SELF, "data:"]}


@never_cache
@require_safe
@csp_update(POLICY)
def docs(request: HttpRequest) -> HttpResponse:
    """Everybody may read it, as openapi.json. Staff who are signed in can try calls with their session."""
    return render(request, "api/docs.html")
