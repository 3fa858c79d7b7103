"""What only the chains of all licenses together tell: the line of each Instance, and the codes it revealed.

An Instance may ask under several licenses, and its epoch and its counters are one line through all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from activations.domain.ledger import Entry, Kind

KINDS = (
    Kind.REQUEST_RECEIVED,
    Kind.BACKUP_ACCEPTED,
    Kind.TOMBSTONE_PLACED,
    Kind.TOMBSTONE_SETTLED,
    Kind.ACTIVATION_DEACTIVATED,
)
BY_CODE = "deactivation code"  # how a tombstone is settled when the code of the written-off host arrives

Code = tuple[str, str, str, int]  # license, activation, commitment, epoch


@dataclass
class Lines:
    """`epochs` and `first_received` by Instance, `in_line` by request. Times as entries write them."""

    epochs: dict[str, int] = field(default_factory=dict)
    first_received: dict[str, str] = field(default_factory=dict)
    in_line: dict[str, bool] = field(default_factory=dict)
    codes: dict[Code, dict[str, Any]] = field(default_factory=dict)


def follow(entries: Iterable[Entry]) -> Lines:
    """The lines after entries of `KINDS`, in the order in which they were booked: that of their ids, because an
    Instance is locked while it is booked for. Raises ValueError for an entry that does not fit those before it.
    """
    lines = Lines()
    ahead: dict[tuple[str, int], int] = {}  # the highest counter in line, by Instance and epoch
    counters: dict[str, int] = {}
    stones: dict[str, dict[str, Any]] = {}
    for entry in entries:
        data = entry.data
        try:
            if entry.kind == Kind.REQUEST_RECEIVED:
                _received(lines, ahead, entry)
                counters[data["request_id"]] = data["counter"]
            elif entry.kind == Kind.BACKUP_ACCEPTED:
                instance, request, epoch = data["instance"], data["request_id"], data["epoch"]
                lines.epochs[instance], lines.in_line[request] = epoch, True
                ahead[instance, epoch] = counters[request]
            elif entry.kind == Kind.TOMBSTONE_PLACED:
                stones[data["tombstone_id"]] = dict(data)
            elif entry.kind == Kind.ACTIVATION_DEACTIVATED:
                _revealed(lines, entry, data)
            elif entry.kind == Kind.TOMBSTONE_SETTLED and data["how"] == BY_CODE:
                _revealed(lines, entry, stones[data["tombstone_id"]])
        except (KeyError, TypeError) as error:
            raise ValueError(f"{entry.chain} entry {entry.seq} ({entry.kind}) does not fit: {error}") from None
    return lines


def _received(lines: Lines, ahead: dict[tuple[str, int], int], entry: Entry) -> None:
    instance, counter = entry.data["instance"], entry.data["counter"]
    lines.first_received.setdefault(instance, entry.at)
    line = instance, lines.epochs.setdefault(instance, 1)
    lines.in_line[entry.data["request_id"]] = counter > ahead.get(line, -1)
    ahead[line] = max(counter, ahead.get(line, -1))


def _revealed(lines: Lines, entry: Entry, what: Any) -> None:
    """A code that is given again in the same epoch is kept as it was first."""
    code = entry.chain, what["activation_id"], what["commitment"], lines.epochs.get(what["instance"], 1)
    said = {"instance": what["instance"], "revealed_at": entry.at, "revealed_by": entry.actor}
    lines.codes.setdefault(code, said)
