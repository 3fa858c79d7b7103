"""The seats of a license on its page: all of a small one, of a large one the counts and the seats that are taken."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count

from activations.admin.showing import MOST_BOXES, SeatBox, static_row
from activations.models import Activation, License

MOST_TAKEN = 100  # boxes of a license that is too large to show each of its seats


@dataclass(frozen=True)
class SeatMap:
    """`boxes` are the seats that are shown; `more` taken ones are not."""

    allowed: int
    active: int
    lost: int
    boxes: tuple[SeatBox, ...]
    grouped: bool

    @property
    def taken(self) -> int:
        return self.active + self.lost

    @property
    def free(self) -> int:
        return self.allowed - self.taken

    @property
    def more(self) -> int:
        return self.taken - len(self.boxes) if self.grouped else 0


def seat_map(license: License) -> SeatMap:
    held = Activation.objects.filter(license=license, seat__isnull=False)
    counts = dict(held.order_by().values_list("state").annotate(Count("pk")))
    grouped = license.allowed > MOST_BOXES
    boxes = _taken(license) if grouped else static_row(license, sum(counts.values())).boxes
    return SeatMap(license.allowed, counts.get("active", 0), counts.get("lost", 0), boxes, grouped)


def _taken(license: License) -> tuple[SeatBox, ...]:
    """The lost ones first: a person has to do something about those."""
    rows = Activation.objects.filter(license=license, seat__isnull=False).select_related("seat")
    boxes = []
    for row in rows.order_by("-state", "seat__number")[:MOST_TAKEN]:
        number = row.seat.number if row.seat else 0
        boxes.append(SeatBox(number, row.state, "", f"Seat {number}: {row.state}, {row.hostname or 'unnamed host'}"))
    return tuple(boxes)
