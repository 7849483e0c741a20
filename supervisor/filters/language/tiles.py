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
MOST_TILES = 100  # of 26 characters at least, with the OR: X takes filters of 2,048 characters at most
SMALLER = (
    "draw a smaller box, or several; a whole country is found by track rules with the suffix place_country:XX"
)
"""What the owner of a box that is too large can do."""

_MOST_ROWS = 64  # that are counted one by one: more than MOST_TILES allows of any but a narrow strip
_MILES_PER_DEGREE = 69.41  # of latitude at the poles, where a degree is longest, and of longitude at most


def tiles_of(west: float, south: float, east: float, north: float) -> Iterator[Tile]:
    """Yield the tiles that cover the box, row by row from the south-west."""
    height = TILE_MILES / _MILES_PER_DEGREE
    for bottom, top in _spans(south, north, height):
        for left, right in _spans(west, east, _width(bottom, top)):
            yield Tile(*map(_rounded, (left, bottom, right, top)))


def number_of_tiles(west: float, south: float, east: float, north: float) -> int:
    """Return how many tiles `tiles_of` yields, without making them; of a box of many rows nearly so many.

    Beyond 64 rows, every few of them stand for their neighbours, which differ little in width.
    """
    height = TILE_MILES / _MILES_PER_DEGREE
    rows, step = _layout(south, north, height)
    high = min(height, north - south)
    sampled = min(rows, _MOST_ROWS)
    of_sampled = 0
    for number in range(sampled):
        bottom = south + (2 * number + 1) * rows // (2 * sampled) * step
        columns, _ = _layout(west, east, _width(bottom, bottom + high))
        of_sampled += columns
    return of_sampled * rows // sampled


def _rounded(degrees: float) -> float:
    """Return the number rounded as it is written: to a metre, for which the width of a tile leaves room."""
    return round(degrees, 5) + 0.0  # -0.0 becomes 0.0


def _width(bottom: float, top: float) -> float:
    """Return the width of a tile in degrees of longitude, which are longest nearest the equator."""
    nearest = 0.0 if bottom <= 0 <= top else min(abs(bottom), abs(top))
    miles_per_degree = _MILES_PER_DEGREE * math.cos(math.radians(nearest))
    return 360.0 if miles_per_degree * 360 <= TILE_MILES else TILE_MILES / miles_per_degree


def _spans(start: float, end: float, size: float) -> Iterator[tuple[float, float]]:
    """Yield spans of at most `size` that cover start to end, each overlapping the next by at least half."""
    spans, step = _layout(start, end, size)
    if spans == 1:
        yield start, end
        return
    for number in range(spans):
        yield start + number * step, start + number * step + size


def _layout(start: float, end: float, size: float) -> tuple[int, float]:
    """Return how many spans cover start to end, and how far the start of each is from that of the next."""
    if end - start <= size:
        return 1, 0.0
    steps = math.ceil((end - start - size) / (size / 2))
    return steps + 1, (end - start - size) / steps
