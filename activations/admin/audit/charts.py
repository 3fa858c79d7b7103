"""Charts as SVG that the page holds itself: no script, no inline style, every number also in the table below.

A chart is given as shapes in a box of 720 by 220 units; colours come from classes of audit.css.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 48, 8, 10, 26  # room for the axes
STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Bar:
    """One bar with the words that are shown when it is pointed at."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    words: str


@dataclass(frozen=True)
class Chart:
    """`lines` are (kind, points as SVG has them); `ticks` (y, label); `labels` (x, label)."""

    bars: tuple[Bar, ...]
    lines: tuple[tuple[str, str], ...]
    ticks: tuple[tuple[float, str], ...]
    labels: tuple[tuple[float, str], ...]


def chart(
    labels: Sequence[str],
    stacked: Sequence[tuple[str, Sequence[int]]],
    lines: Sequence[tuple[str, Sequence[int]]] = (),
) -> Chart:
    """Bars of several kinds one upon the other for each label, and lines over them. Kinds are (name, a number for each
    label).
    """
    sums = [sum(values[nth] for _, values in stacked) for nth in range(len(labels))]
    top, step = _scale(max([0, *sums, *(value for _, values in lines for value in values)]))
    slot = (WIDTH - LEFT - RIGHT) / max(1, len(labels))

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM), 1)

    def middle(nth: int) -> float:
        return round(LEFT + slot * (nth + 0.5), 1)

    ticks = tuple((y(step * nth), f"{step * nth:,}") for nth in range(round(top / step) + 1))
    every = max(1, -(-len(labels) // 12))  # so that they do not overlap
    return Chart(
        bars=tuple(_bars(labels, stacked, slot, y)),
        lines=tuple(
            (kind, " ".join(f"{middle(nth)},{y(value)}" for nth, value in enumerate(values))) for kind, values in lines
        ),
        ticks=ticks,
        labels=tuple((middle(nth), label) for nth, label in enumerate(labels) if nth % every == 0),
    )


def _bars(
    labels: Sequence[str],
    stacked: Sequence[tuple[str, Sequence[int]]],
    slot: float,
    y: Callable[[float], float],
) -> Iterator[Bar]:
    for nth, label in enumerate(labels):
        below = 0
        for kind, values in stacked:
            if values[nth]:
                upper = y(below + values[nth])
                words = f"{label}: {values[nth]:,} {kind}"
                left, height = round(LEFT + slot * (nth + 0.2), 1), round(y(below) - upper, 1)
                yield Bar(left, upper, round(slot * 0.6, 1), height, kind, words)
            below += values[nth]


def _scale(most: int) -> tuple[int, int]:
    """The top of the axis and the step between its lines, both round numbers; never an empty axis."""
    for power in (10**n for n in range(12)):
        for factor in STEPS:
            step = factor * power
            if step == int(step) and step * 5 >= most:
                return int(step) * max(1, -(-most // int(step))), int(step)
    raise ValueError("more than anybody can draw")
