"""The kinds of filter that lists share: one value of a field, a member of staff, or one of a few conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest

MOST_STAFF = 200


class ValueFilter(admin.SimpleListFilter):
    """Rows whose field `parameter_name` holds the chosen value."""

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(**{str(self.parameter_name): self.value()}) if self.value() else queryset


class StaffFilter(ValueFilter):
    """Rows whose field `parameter_name` names the chosen member of staff, or one of `others`, who are no accounts."""

    others: tuple[str, ...] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = User.objects.order_by("username").values_list("username", flat=True)
        return [(name, name) for name in [*names[:MOST_STAFF], *self.others]]


class ConditionFilter(admin.SimpleListFilter):
    """Rows of which the chosen condition holds. `conditions`: value in the address -> words, condition; any other
    value leaves the list whole.
    """

    conditions: Mapping[str, tuple[str, Any]] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, words) for value, (words, _) in self.conditions.items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        chosen = self.conditions.get(self.value() or "")
        return queryset if chosen is None else queryset.filter(chosen[1])
