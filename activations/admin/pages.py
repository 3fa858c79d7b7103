"""Rendering pages of the desk inside the admin, and remembering the result of a booking for the next page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse

from activations import queries
from activations.admin import answering
from activations.admin.forms import PasteForm
from activations.admin.words import TITLES

KEPT_RESULTS = 20


@dataclass(frozen=True)
class Problem:
    """Why the desk cannot go on with a text: what happened, what to do, and the reply to the customer if one is due."""

    title: str
    sentences: tuple[str, ...]
    draft: str = ""


def page(
    request: HttpRequest, template: str, title: str, context: dict[str, Any], status: int = 200
) -> TemplateResponse:
    in_answer_to = answering.conversation_of(request)
    of_mail = {"in_answer_to": in_answer_to, "way_back": answering.way_back(request)}
    context = {**admin.site.each_context(request), "title": title, **of_mail, **context}
    request.current_app = admin.site.name
    return TemplateResponse(request, template, context, status=status)


def desk_page(request: HttpRequest, form: PasteForm, problem: Problem | None = None, **more: Any) -> TemplateResponse:
    """The box, what waits for a person, and why the last text led nowhere, if it did."""
    waiting = [(row, TITLES.get(row.code, row.code)) for row in queries.pending_requests()[:50]]
    title = f"{problem.title}: support desk" if problem else "Support desk"
    row = answering.conversation_of(request)
    reply_to = answering.reply_to(request, row.customer_id) if row and problem and problem.draft else None
    context = {"form": form, "waiting": waiting, "problem": problem, "heading": "Support desk", "reply_to": reply_to}
    context |= more
    return page(request, "desk/desk.html", title, context)


def keep_result(request: HttpRequest, name: str, result: dict[str, Any]) -> None:
    """Kept in the session of the person who booked it: the page after the redirect shows it, and a reload again."""
    results = {**request.session.get("desk_results", {}), name: result}
    request.session["desk_results"] = dict(list(results.items())[-KEPT_RESULTS:])


def kept_result(request: HttpRequest, name: str) -> dict[str, Any] | None:
    result = request.session.get("desk_results", {}).get(name)
    return result if isinstance(result, dict) else None
