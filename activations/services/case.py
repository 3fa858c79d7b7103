"""One authenticated Usage Request while it is being booked: what the steps of booking it share."""

from __future__ import annotations

from dataclasses import dataclass

from activations.domain.decisions import Decision
from activations.models import Instance, License
from activations.services.booking import Book
from activations.services.intake import Authenticated


@dataclass(frozen=True)
class Case:
    """License and Instance are locked, the decision was made under those locks, the book is open."""

    license: License
    instance: Instance
    read: Authenticated
    decision: Decision
    book: Book
