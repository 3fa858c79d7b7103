"""A list as one member of staff likes to see it: saved under a name, shown as a link, seen by nobody else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import redirect

from activations.admin.pages import page as desk_page
from activations.models import SavedFilter
from activations.services.intake import without_secrets
from activations.services.results import bad_letters

MOST_VIEWS = 30  # of one member of staff, over all lists
LONGEST_NAME = 60
LONGEST_QUERY = 1000
SEARCH, ORDER = "q", "o"


@dataclass(frozen=True)
class SavedView:
    pk: int
    name: str
    query: str
    current: bool


def kept_query(page: Any, request: HttpRequest) -> QueryDict:
    """What of the address belongs to the list: search, order, and filters the list itself offers."""
    kept = QueryDict(mutable=True)
    for name, values in request.GET.lists():
        useful = [value for value in values if value]
        fits = name in (SEARCH, ORDER) or all(page.lookup_allowed(name, value, request) for value in useful)
        if useful and fits:
            kept.setlist(name, useful)
    return kept


def views_of(page: Any, request: HttpRequest) -> list[SavedView]:
    """The views this user saved of this list."""
    query = kept_query(page, request).urlencode()
    rows = SavedFilter.objects.filter(owner_id=request.user.pk, page=page_name(page))
    return [SavedView(row.pk, row.name, row.query, row.query == query) for row in rows]


def save(page: Any, request: HttpRequest) -> HttpResponseBase:
    """Keeps the list as it is filtered now. A name that is taken is asked about, never overwritten in passing."""
    _readers_only(page, request)
    kept = kept_query(page, request)
    back = f"{page.list_url()}?{kept.urlencode()}"
    if request.method != "POST":  # a sign-in in between comes back here by GET, which writes nothing
        return redirect(back)
    name = " ".join(request.POST.get("name", "").split())
    problem = _bad_name(name) or _bad_query(kept)
    if problem:
        messages.error(request, problem)
        return redirect(back)
    with transaction.atomic():
        # Two saves at once wait for each other: the bound holds, and one name is one view.
        owner = User.objects.select_for_update().get(username=request.user.get_username())
        mine = SavedFilter.objects.filter(owner=owner)
        same = mine.filter(page=page_name(page), name=name).first()
        if same is None and mine.count() >= MOST_VIEWS:
            messages.error(
                request, f"Nothing was saved: you have {MOST_VIEWS} views, as many as fit. Delete one you do not use."
            )
            return redirect(back)
        if same is not None and same.query != kept.urlencode() and "replace" not in request.POST:
            context = {"list": page.list_name(), "name": name, "back": back}
            context["rows"] = _differences(QueryDict(same.query), kept)
            context["save_view_url"] = f"{page.list_url('save_view')}?{kept.urlencode()}"
            return desk_page(request, "desk/replace_view.html", f"Replace the view {name}", context)
        SavedFilter.objects.update_or_create(
            owner=owner, page=page_name(page), name=name, defaults={"query": kept.urlencode()}
        )
    messages.success(request, f"The view {name} is saved. You find it above this list; nobody else sees it.")
    return redirect(back)


def delete(page: Any, request: HttpRequest) -> HttpResponseBase:
    """Deletes one view of one's own."""
    _readers_only(page, request)
    back = f"{page.list_url()}?{kept_query(page, request).urlencode()}"
    if request.method != "POST":
        return redirect(back)
    chosen = request.POST.get("view", "")
    mine = SavedFilter.objects.filter(owner_id=request.user.pk, page=page_name(page))
    row = mine.filter(pk=chosen).first() if chosen.isascii() and chosen.isdigit() and len(chosen) < 19 else None
    if row is None:
        messages.warning(request, "You have no such view of this list; perhaps it was deleted in another window.")
    else:
        row.delete()
        messages.success(request, f"The view {row.name} is deleted. The list itself is as it was.")
    return redirect(back)


def page_name(page: Any) -> str:
    return f"{page.opts.app_label}.{page.opts.model_name}"


def _readers_only(page: Any, request: HttpRequest) -> None:
    if not page.has_view_permission(request):
        raise PermissionDenied("Your role does not see this list, so it has no views of it.")


def _bad_name(name: str) -> str:
    if not name:
        return "Nothing was saved: give the view a name."
    if len(name) > LONGEST_NAME:
        return f"Nothing was saved: the name of a view has at most {LONGEST_NAME} letters."
    unseen = bad_letters(name, "The name of the view", "name-unfit")
    if unseen:
        return f"Nothing was saved. {unseen.message}"
    return "" if without_secrets(name) == name else "Nothing was saved: this name holds a secret. Choose another."


def _bad_query(kept: QueryDict) -> str:
    if not kept:
        return "Nothing was saved: the list shows everything. Filter, search or sort it first, then save the view."
    if len(kept.urlencode()) > LONGEST_QUERY:
        return "Nothing was saved: this filter is too long to keep. Search for less text, then save the view."
    if any(without_secrets(value) != value for _, values in kept.lists() for value in values):
        return (
            "Nothing was saved: the search holds a License Key or a deactivation code, and those are not kept. Search "
            "for the License ID or the customer instead."
        )
    return ""


def _differences(before: QueryDict, after: QueryDict) -> list[tuple[str, str, str]]:
    names = sorted({*before, *after})
    return [(name, ", ".join(before.getlist(name)), ", ".join(after.getlist(name))) for name in names]
