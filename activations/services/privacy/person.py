"""Who is to be forgotten: the address, the names, and how they are found in a text and taken out of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote, quote_plus

from chariot_license.protocol import base32
from django.db.models import Q

from activations.models import Contact, IncomingMail
from activations.models.privacy import PSEUDONYM_DOMAIN
from activations.services import vault

SHORTEST_WORD = 3  # of a name, to be looked for alone


@dataclass(frozen=True)
class Person:
    """`names` are whole names. `ours` are the contact rows; their customers' names say which words are no person's."""

    address: str
    pseudonym: str
    names: tuple[str, ...]
    contacts: tuple[Contact, ...]

    @property
    def pseudonym_address(self) -> str:
        return f"{self.pseudonym}@{PSEUDONYM_DOMAIN}"

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The single words of the names: what a mail to them begins with. None that is in their company's name too."""
        company = {word.casefold() for contact in self.contacts for word in re.findall(r"\w+", contact.customer.name)}
        found = {word for name in self.names for word in re.findall(r"[^\W\d_]+", name)}
        return tuple(sorted(word for word in found if len(word) >= SHORTEST_WORD and word.casefold() not in company))

    @cached_property
    def _whole(self) -> re.Pattern[str]:
        return _pattern([self.address, *self.names])

    @cached_property
    def _any(self) -> re.Pattern[str]:
        return _pattern([self.address, *self.names, *self.words])

    def named_in(self, text: str) -> bool:
        """Whether the address or a whole name stands in it."""
        return bool(self._whole.search(text))

    def meant_in(self, text: str) -> bool:
        """Whether even one word of a name stands in it: asked only of what was said with this person or of them."""
        return bool(self._any.search(text))

    def without(self, value: Any, *, meant: bool = False) -> Any:
        """The text with the pseudonym where the person was named; of lists and objects each text in them."""
        if isinstance(value, str):
            return (self._any if meant else self._whole).sub(self.pseudonym, value)
        if isinstance(value, list):
            return [self.without(each, meant=meant) for each in value]
        if isinstance(value, dict):
            return {name: self.without(each, meant=meant) for name, each in value.items()}
        return value

    def condition(self, *columns: str) -> Q:
        """What the database can tell of it: the rows in which any word stands. The patterns then look closely."""
        wanted = Q()
        for column in columns:
            for part in (self.address, quote(self.address), *self._spelled()):
                wanted |= Q(**{f"{column}__icontains": part})
        return wanted

    def _spelled(self) -> set[str]:
        """SQLite compares letters without regard to case in ASCII only, and JSON may be written in ASCII only."""
        parts = set(self.words) or set(self.names)
        cases = {form for part in parts for form in (part, part.upper(), part.lower(), part.title())}
        return cases | {json.dumps(form)[1:-1] for form in cases} | {quote(form) for form in cases}


def _pattern(texts: Iterable[str]) -> re.Pattern[str]:
    """Any of the texts, in any case, with any white space; as it stands in an address or in JSON, too. Of an address
    no part of a longer one.
    """
    forms: dict[str, None] = {}
    for text in sorted(set(texts), key=len, reverse=True):
        before, behind = (r"(?<![\w.-])", r"(?![\w-]|\.\w)") if "@" in text else (r"(?<!\w)", r"(?!\w)")
        for form in (text, quote(text), quote_plus(text), json.dumps(text)[1:-1]):
            forms[before + r"\s+".join(re.escape(word) for word in form.split()) + behind] = None
    return re.compile("|".join(forms), re.IGNORECASE)


def person_of(address: str) -> Person | None:
    """The person of this address, if a contact has it."""
    wanted = address.strip()
    contacts = tuple(Contact.objects.filter(email__iexact=wanted).select_related("customer").order_by("pk"))
    if not contacts:
        return None
    shown = IncomingMail.objects.filter(from_address__iexact=wanted).exclude(from_name="")
    names = {*(contact.name for contact in contacts), *shown.values_list("from_name", flat=True).distinct()}
    nobodys = {wanted.lower(), *(contact.customer.name.casefold() for contact in contacts)}
    kept = {" ".join(name.split()) for name in names if name.strip()}
    return Person(
        address=wanted.lower(),
        pseudonym=pseudonym_of(wanted),
        names=tuple(sorted(name for name in kept if name.casefold() not in nobodys)),
        contacts=contacts,
    )


def pseudonym_of(address: str) -> str:
    """Of one address always the same, and nobody without the portal's secret can tell of which."""
    digest = vault.key_digest(b"contact-pseudonym-1" + address.strip().lower().encode())
    return f"contact-{base32.encode(bytes.fromhex(digest)[:5])}"


_ADDRESS = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")


def without_people(text: str) -> str:
    """A text that goes into the ledger, with pseudonyms for the addresses in it and for the whole names of contacts."""
    text = _ADDRESS.sub(lambda found: pseudonym_of(found[0]), text)
    for name, email in _named_in(text):
        text = _pattern([name]).sub(pseudonym_of(email), text)
    return text


def _named_in(text: str) -> list[tuple[str, str]]:
    words = [word for word in re.findall(r"[^\W\d_]+", text) if len(word) >= SHORTEST_WORD]
    wanted = Q()
    for word in words[:20]:
        wanted |= Q(name__icontains=word)
    found = Contact.objects.exclude(name="").filter(wanted).values_list("name", "email")[:500] if words else []
    return [(name, email) for name, email in found if _pattern([name]).search(text)]
