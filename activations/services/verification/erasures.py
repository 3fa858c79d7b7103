"""What was erased: only what is booked, all of it, and nothing that was booked stands there still."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from django.db.models import Exists, OuterRef

from activations.domain.ledger import PORTAL_CHAIN, Kind, read_body
from activations.models import Erasure, LedgerEntry
from activations.models.erasable import EMPTY, ERASABLE, MARKED, PSEUDONYM
from activations.models.privacy import ERASED, PSEUDONYM_DOMAIN

CHUNK = 2000
_GONE: dict[str, Callable[[str], dict[str, Any]]] = {
    EMPTY: lambda column: {column: b""},
    MARKED: lambda column: {column: ERASED},
    PSEUDONYM: lambda column: {
        f"{column}__startswith": "contact-",
        f"{column}__endswith": f"@{PSEUDONYM_DOMAIN}",
    },
}


def erasure_problems() -> Iterator[str]:
    yield from _counts()
    for model, columns in ERASABLE.items():
        name = str(model._meta.model_name)
        for column, form in columns.items():
            gone = _GONE[form](column)
            told = Erasure.objects.filter(of_table=name, of_row=OuterRef("pk"), of_column=column)
            empty = model._default_manager.filter(**gone)
            for pk in empty.filter(~Exists(told)).order_by("pk").values_list("pk", flat=True).iterator(CHUNK):
                yield f"{name} {pk} {column}: it was erased, and no entry of the ledger says so"
            said = Erasure.objects.filter(of_table=name, of_column=column).filter(
                ~Exists(empty.filter(pk=OuterRef("of_row")))
            )
            for pk in said.order_by("of_row").values_list("of_row", flat=True).iterator(CHUNK):
                yield f"{name} {pk} {column}: the ledger says that it was erased, and something stands there"


def _counts() -> Iterator[str]:
    """Of each entry, how many columns of which table it erased."""
    found: dict[int, Counter[str]] = {}
    for seq, table in Erasure.objects.values_list("seq", "of_table").iterator(CHUNK):
        found.setdefault(seq, Counter())[table] += 1
    kinds = [Kind.CONTACT_PSEUDONYMISED.value, Kind.MAILS_FORGOTTEN.value]
    entries = LedgerEntry.objects.filter(chain=PORTAL_CHAIN, kind__in=kinds).order_by("seq")
    for seq, body in entries.values_list("seq", "body").iterator(CHUNK):
        try:
            booked = dict(read_body(body).data["erased"])
        except (ValueError, KeyError, TypeError):
            yield f"{PORTAL_CHAIN} entry {seq}: what it erased cannot be told"
            continue
        there = dict(found.pop(seq, Counter()))
        if booked != there:
            yield f"{PORTAL_CHAIN} entry {seq} erased: the ledger says {booked}, the table says {there}"
    for seq in sorted(found):
        yield f"{PORTAL_CHAIN} entry {seq}: something was erased by it, and it does not say so"
