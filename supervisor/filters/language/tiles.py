"""Boxes cut into tiles that X accepts.

`bounding_box:` accepts boxes of less than 25 miles in width and height, and finds a post by its place only
when the place lies fully inside (X, "Operators", as of 2022 to 2024). So the tiles overlap by half: a place
of up to half a tile in size lies in one of them, wherever it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from traptor.supervisor.filters.language.clauses import Tile

TILE_MILES = 24.9
_MILES_PER_DEGREE = 69.41  # of latitude at the poles, where a degree is longest, and of longitude at most


def tiles_of(west: float, south: float, east: float, north: float) -> Iterator[Tile]:
    """Yield the tiles that cover the box, row by row from the south-west."""
    height = TILE_MILES / _MILES_PER_DEGREE
    for bottom, top in _spans(south, north, height):
        for left, right in _spans(west, east, _width(bottom, top)):
            yield Tile(*map(_rounded, (left, bottom, right, top)))


def _rounded(degrees: float) -> float:
    """Return the number rounded as it is written: to a metre, for which the width of a tile leaves room."""
    return round(degrees, 5) + 0.0  # -0.0 becomes 0.0


def _width(bottom: float, top: float) -> float:
    """Return the width of a tile in degrees of longitude, which are longest nearest the equator."""
    nearest = 0.0 if bottom <= 0 <= top else min(abs(bottom), abs(top))
    miles_per_degree = _MILES_PER_DEGREE * math.cos(math.radians(nearest))
    return 360.0 if miles_per_degree * 360 <= TILE_MILES else TILE_MILES / miles_per_degree


def _spans(start: float, end: float, size: float) -> list[tuple[float, float]]:
    """Return spans of at most `size` that cover start to end, each overlapping the next by at least half."""
    if end - start <= size:
        return [(start, end)]
    steps = math.ceil((end - start - size) / (size / 2))
    step = (end - start - size) / steps
    return [(start + number * step, start + number * step + size) for number in range(steps + 1)]
