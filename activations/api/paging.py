"""Lists, a page at a time: a cursor stays right while rows are added, and a late page costs no more than the first."""

from __future__ import annotations

from typing import Any

from django.db.models import Max
from django.db.models.query import QuerySet
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from activations.api.problems import Stopped

DIGITS = 19  # of the largest id


class Newest(CursorPagination):
    """Newest first. `next` and `previous` are addresses to follow; nobody makes a cursor up."""

    page_size = 50
    max_page_size = 200
    page_size_query_param = "page_size"
    ordering = "-id"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Their names in the address, beside those of the filter."""
        return (self.cursor_query_param, self.page_size_query_param)

    def decode_cursor(self, request: Request) -> Cursor | None:
        try:
            cursor = super().decode_cursor(request)
        except NotFound:
            raise _unfit() from None
        if cursor == Cursor(0, False, None):  # what is no base64 says nothing, and would be the first page again
            raise _unfit()
        if cursor is not None and cursor.position is not None and _number(str(cursor.position)) is None:
            raise _unfit()
        return cursor

    def get_page_size(self, request: Request) -> int | None:
        given = request.query_params.get(self.page_size_query_param)
        if given is not None and not 1 <= (_number(str(given)) or 0) <= self.max_page_size:
            words = f"Send a whole number from 1 to {self.max_page_size}."
            raise ValidationError({self.page_size_query_param: [words]})
        return super().get_page_size(request)


class Oldest(Newest):
    """In the order in which they came, as who copies a list wants it: every row that was there when the copy began,
    once, and no row without those before it in its chain.

    A row has its id before it is committed, so one may appear behind others that are read already. `next` therefore
    names the last id of the beginning: what follows a row that was not committed then has a higher one.
    """

    ordering = "id"
    up_to_query_param = "up_to"

    @property
    def parameters(self) -> tuple[str, ...]:
        return (*super().parameters, self.up_to_query_param)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        last = self._last(queryset, request)
        page: list[Any] | None = super().paginate_queryset(queryset.filter(pk__lte=last), request, view)
        self.base_url = replace_query_param(str(self.base_url), self.up_to_query_param, str(last))
        return page

    def _last(self, queryset: QuerySet[Any], request: Request) -> int:
        given = request.query_params.get(self.up_to_query_param)
        if given is None:
            return int(queryset.model._default_manager.aggregate(last=Max("pk"))["last"] or 0)
        number = _number(given)
        if number is None:
            raise _unfit()
        return number


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS else None


def _unfit() -> Stopped:
    return Stopped(
        400,
        "cursor-unfit",
        "This is no page of this list. Follow `next` and `previous` as they were answered, or begin again without "
        "cursor.",
    )
