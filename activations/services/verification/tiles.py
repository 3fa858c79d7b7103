"""The stored tiles of the Merkle tree against the entries: every hash of every full tile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db.models import Count, Max

from activations.domain.tiles import WIDTH, hashes_in, root_over
from activations.models import LedgerLeaf, LedgerTile

AT_ONCE = 64


@dataclass
class _Level:
    """A level as it grows: how many tiles have been passed, the hashes of the next, and rows that were read ahead."""

    passed: int = 0
    hashes: list[bytes] = field(default_factory=list)
    ahead: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)


class TileCheck:
    """Fed with the leaf hashes in order."""

    def __init__(self, covered: int) -> None:
        """`covered`: how many leaves the newest checkpoint has; later ones have no tiles yet."""
        self._covered = covered
        self._kept = LedgerTile.objects.exists()
        self._levels: list[_Level] = []

    def take(self, leaf: bytes) -> Iterator[str]:
        yield from self._take(0, leaf)

    def end(self) -> Iterator[str]:
        """What stands beyond the leaves that there are, and that there is nothing at all."""
        if not self._kept and self._covered >= WIDTH:
            yield (
                "every tile of the Merkle tree is missing: somebody deleted them, or the portal was updated from a "
                "version without tiles and has made no checkpoint since"
            )
        levels = LedgerTile.objects.values("level").annotate(last=Max("index"), count=Count("id")).order_by("level")
        for row in levels.values_list("level", "last", "count"):
            level, last, count = row
            passed = self._levels[level].passed if level < len(self._levels) else 0
            if last >= passed:
                yield f"tile {level}/{last} of the Merkle tree stands over leaves that there are not"
            elif count > last + 1:
                yield f"level {level} of the Merkle tree has more tiles than one in each place"

    def _take(self, level: int, given: bytes) -> Iterator[str]:
        while len(self._levels) <= level:
            self._levels.append(_Level())
        here = self._levels[level]
        here.hashes.append(given)
        if len(here.hashes) < WIDTH:
            return
        hashes, here.hashes = here.hashes, []
        index, here.passed = here.passed, here.passed + 1
        stored = self._stored(level, index)
        above = stored[1] if stored else root_over(hashes)
        if stored:
            yield from _problems(level, index, stored, hashes)
        elif self._kept and (index + 1) * WIDTH ** (level + 1) <= self._covered:
            yield f"tile {level}/{index} of the Merkle tree is missing"
        yield from self._take(level + 1, above)

    def _stored(self, level: int, index: int) -> tuple[bytes, bytes] | None:
        here = self._levels[level]
        if index % AT_ONCE == 0:
            rows = LedgerTile.objects.filter(level=level, index__gte=index, index__lt=index + AT_ONCE)
            columns = rows.order_by("-id").values_list("index", "hashes", "root")
            here.ahead = {at: (bytes(hashes), bytes(root)) for at, hashes, root in columns}
        return here.ahead.get(index)


def _problems(level: int, index: int, stored: tuple[bytes, bytes], hashes: list[bytes]) -> Iterator[str]:
    name = f"tile {level}/{index} of the Merkle tree"
    kept = hashes_in(stored[0])
    if len(kept) != WIDTH or len(kept[-1]) != len(hashes[0]):
        yield f"{name} does not hold {WIDTH} hashes"
        return
    for offset, (mine, given) in enumerate(zip(kept, hashes, strict=True)):
        if mine != given:
            yield f"{name} holds another hash than {_given(level, index * WIDTH + offset)}"
    if root_over(kept) != stored[1]:
        yield f"{name} has another root than its hashes give"


def _given(level: int, index: int) -> str:
    if level:
        return f"the root of tile {level - 1}/{index}"
    said = LedgerLeaf.objects.filter(index=index).values_list("entry__chain", "entry__seq").first()
    return f"leaf {index} gives, {said[0]} entry {said[1]}" if said else f"leaf {index} gives"
