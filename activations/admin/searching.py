"""Search in lists whose rows carry several public identifiers."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, ClassVar

from chariot_license.protocol.codes import parse_public_id
from chariot_license.protocol.errors import CodeError
from django.http import HttpRequest


class SearchByIds:
    """A whole id of any of these kinds finds its rows however it was typed: lower case, O for 0, spaces for dashes.

    `public_ids` maps a prefix of Design 2 to the field that holds the id. Anything else is searched for as usual.
    """

    public_ids: ClassVar[dict[str, str]] = {}

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        for prefix, field in self.public_ids.items() if search_term.strip() else ():
            with suppress(CodeError):
                return queryset.filter(**{field: parse_public_id(prefix, search_term)}), False
        found: tuple[Any, bool] = super().get_search_results(  # type: ignore[misc]
            request, queryset, search_term
        )
        return found
