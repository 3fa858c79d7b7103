"""What entries say, read by the database: the body is canonical JSON, and a column holds it as text."""

from __future__ import annotations

import json
import re
from typing import Any

import rfc8785
from django.db.models import IntegerField, JSONField, Q, QuerySet, Value
from django.db.models.fields.json import KT, KeyTextTransform
from django.db.models.functions import Cast, Coalesce

from activations.domain.ledger import Kind
from activations.models import LedgerEntry, License

HOLDERS = (Kind.LICENSE_CREATED, Kind.LICENSE_TRANSFERRED)  # the entries that say whose a license is

Entries = QuerySet[LedgerEntry]


def data_of(entry: LedgerEntry) -> dict[str, Any]:
    return data_in(entry.body)


def data_in(body: str) -> dict[str, Any]:
    """What an entry says; of one that somebody damaged, nothing: the check of the ledger names it."""
    try:
        data = json.loads(body)["data"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def says(name: str, value: str) -> Q:
    """That a member of the entry's `data` is this text, exactly."""
    return Q(body__contains=f'"{name}":{rfc8785.dumps(value).decode()}')


def with_data(entries: QuerySet[LedgerEntry, Any]) -> QuerySet[LedgerEntry, Any]:
    """The entries with their body as `said`, of which `text_in` and `number_in` read a member of `data`."""
    return entries.annotate(said=Cast("body", JSONField()))


def text_in(name: str) -> KeyTextTransform:
    found: KeyTextTransform = KT(f"said__data__{name}")
    return found


def number_in(name: str) -> Coalesce:
    return Coalesce(Cast(text_in(name), IntegerField()), Value(0))


def ever_of(words: str, *, exactly: bool = False) -> QuerySet[Any, Any]:
    """The chains of the licenses that are, or ever were, those of a customer in whose name the words stand; `exactly`:
    of the customer of this name. A subquery.

    A license that was never transferred is still its first customer's, so the tables lead to it by index; who held the
    others, the few entries about transfers tell. Looking into every entry that made a license would take as long as the
    ledger is large.
    """
    if exactly:
        theirs, before = Q(customer__name=words), says("before", words)
    else:
        theirs, before = Q(customer__name__icontains=words), _anywhere("before", words)
    left = LedgerEntry.objects.filter(before, kind=Kind.LICENSE_TRANSFERRED).order_by().values("chain")
    # One set of chains and not two that are asked in turn: so the entries of the few chains are found by index.
    return License.objects.filter(theirs).order_by().values("license_id").union(left)


def _anywhere(name: str, words: str) -> Q:
    """That the words stand in a member of `data`, however they are written."""
    return Q(body__iregex=rf'"{name}":"([^"\\]|\\.)*{re.escape(rfc8785.dumps(words).decode()[1:-1])}')


def transferred() -> QuerySet[LedgerEntry, Any]:
    """The chains of the licenses that had more than one customer. A subquery."""
    return LedgerEntry.objects.filter(kind=Kind.LICENSE_TRANSFERRED).order_by().values("chain")
