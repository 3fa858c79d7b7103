"""The story of one activation, from the first request to today, with every text exactly as received and sent."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from activations.admin.access import needs
from activations.admin.pages import page
from activations.admin.words import tell
from activations.audit_queries import story_of
from activations.domain.words import Ability
from activations.models import Activation


@never_cache
@needs(Ability.READ_LEDGER)
@require_safe
def story(request: HttpRequest, activation_id: str) -> HttpResponse:
    found = Activation.objects.select_related("license__customer", "seat").filter(activation_id=activation_id).first()
    if found is None:
        raise Http404(f"There is no activation {activation_id}.")
    chapters = [(chapter, tell(chapter.entry) if chapter.entry else None) for chapter in story_of(found)]
    context = {"activation": found, "chapters": chapters}
    return page(request, "audit/story.html", f"Story of {activation_id}", context)
