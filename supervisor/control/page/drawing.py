"""Small graphics of a connection: the rate of the last hour, and what became of the last 24 hours. Pure.

Each has words that say the same to those who cannot see it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from traptor.common.text import counted
from traptor.supervisor.gaps.fill import shown_fill

DAY_S = 86_400.0
WIDTH = 240.0
SPARK_HEIGHT = 24.0

_LEAST = 0.75  # a gap of seconds must be seen, too


@dataclass(frozen=True, slots=True)
class Spark:
    """A line of rates: the points of a polyline, and its words."""

    points: str
    words: str


@dataclass(frozen=True, slots=True)
class StripPart:
    """A part of a strip: a class of the style sheet, its place, and what it stands for."""

    kind: str  # streaming, refresh, gap, unplanned
    x: float
    width: float
    words: str


@dataclass(frozen=True, slots=True)
class Strip:
    """The last 24 hours of a connection."""

    stretches: tuple[StripPart, ...]
    words: str


NO_SPARK = Spark("", "no rate yet")
NO_STRIP = Strip((), "nothing is known yet")


def spark(rates: Sequence[float], steps: int) -> Spark:
    """Return the line of rates, a minute each, the latest at the right edge of `steps`."""
    if not rates:
        return NO_SPARK
    top = max(max(rates), 1.0)
    step = WIDTH / max(1, steps - 1)
    first = WIDTH - step * (len(rates) - 1)
    points = [
        f"{first + step * number:.1f},{(SPARK_HEIGHT - 2) * (1 - rate / top) + 1:.1f}"
        for number, rate in enumerate(rates)
    ]
    words = f"tweets/s of the last {counted(len(rates), 'minute')}: {min(rates):.1f} to {max(rates):.1f}"
    return Spark(" ".join(points), words)


def strips(intervals: Iterable[Mapping[str, Any]], now: float) -> dict[str, Strip]:
    """Return the strip of each connection, from the ledger's intervals in the order of time."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for one in intervals:
        if one["connection"] is not None:
            by_name.setdefault(one["connection"], []).append(one)
    return {name: _strip(found, now) for name, found in by_name.items()}


def _strip(intervals: Sequence[Mapping[str, Any]], now: float) -> Strip:
    since = now - DAY_S
    stretches = [_stretch(one, since) for one in intervals]
    return Strip(tuple(_over_each_other(stretches)), _words(intervals))


def _stretch(one: Mapping[str, Any], since: float) -> StripPart:
    begin = max(0.0, one["from_unix"] - since) / DAY_S * WIDTH
    end = (one["to_unix"] - since) / DAY_S * WIDTH
    kind = one["kind"]
    if kind == "gap" and one["cause"] == "refresh":
        kind = "refresh"
    width = end - begin if kind in ("streaming", "unplanned") else max(_LEAST, end - begin)
    words = [f"{one['cause'] or kind}: {one['from']} to {one['to']}", *map(shown_fill, one.get("filled", ()))]
    return StripPart(kind, round(begin, 2), round(width, 2), "; ".join(words))


def _over_each_other(stretches: Iterable[StripPart]) -> list[StripPart]:
    """Put gaps on top: a short one is drawn wider than it is."""
    return sorted(stretches, key=lambda one: one.kind in ("gap", "refresh"))


def _words(intervals: Sequence[Mapping[str, Any]]) -> str:
    sums = {
        kind: sum(one["seconds"] for one in intervals if one["kind"] == kind) for kind in ("streaming", "gap")
    }
    wanted = sum(sums.values())
    if not wanted:
        return "not wanted in the last 24 hours"
    gaps = sum(1 for before, one in pairwise([None, *intervals]) if _begins_gap(before, one))
    return f"collected {sums['streaming'] / wanted:.2%} of the last 24 hours, {counted(gaps, 'gap')}"


def _begins_gap(before: Mapping[str, Any] | None, one: Mapping[str, Any] | None) -> bool:
    """Tell whether a gap begins here: one that goes on for another cause is the same."""
    assert one is not None
    return one["kind"] == "gap" and (before is None or before["kind"] != "gap")
