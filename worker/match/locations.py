"""Locations rules: find the boxes that hold a tweet's point, or overlap its place.

Follows Twitter, "Standard stream parameters", `locations`. A box includes its borders.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from traptor.worker.tweets.tweet import Place, Point, Tweet

# Up to this number, trying every box is faster than looking up the cells of a grid.
PLAIN_BOXES = 64
_CELL_SIZES_DEGREES = (1, 8, 64, 512)


class Box(NamedTuple):
    """A region of the map in degrees."""

    west: float
    south: float
    east: float
    north: float

    @classmethod
    def parse(cls, text: str) -> Box:
        """Read `west,south,east,north`.

        Raises ValueError for anything else.
        """
        west, south, east, north = map(float, text.split(","))
        return cls(west, south, east, north)


def region_of(tweet: Tweet) -> Box | None:
    """Return a tweet's region: its point, else its place's bounding box; None for a retweet or if unknown."""
    if tweet.retweeted_status is not None or (tweet.coordinates is None and tweet.place is None):
        return None
    return _point_box(tweet.coordinates) or _place_box(tweet.place)


def _point_box(point: Point | None) -> Box | None:
    if point is None or point.coordinates is None or len(point.coordinates) < 2:
        return None
    longitude, latitude = point.coordinates[:2]
    return _finite(Box(longitude, latitude, longitude, latitude))


def _place_box(place: Place | None) -> Box | None:
    if place is None or place.bounding_box is None:
        return None
    corners = [corner for ring in place.bounding_box.coordinates or () for corner in ring if len(corner) >= 2]
    if not corners:
        return None
    longitudes, latitudes = [corner[0] for corner in corners], [corner[1] for corner in corners]
    return _finite(Box(min(longitudes), min(latitudes), max(longitudes), max(latitudes)))


def _finite(box: Box) -> Box | None:
    return box if all(map(math.isfinite, box)) else None


class LocationsIndex:
    """Finds the locations rules that a tweet matches."""

    def __init__(self, boxes: Mapping[str, Sequence[int]]) -> None:
        """Take boxes in the form of rules, each with the indexes of its rules.

        Raises ValueError when a box is not of the form `west,south,east,north`.
        """
        self._boxes = [(Box.parse(text), tuple(rules)) for text, rules in boxes.items()]
        self._grid = _Grid([box for box, _ in self._boxes]) if len(boxes) > PLAIN_BOXES else None

    def match(self, tweet: Tweet) -> set[int]:
        """Return the rules with a box that holds the tweet's point or overlaps its place."""
        region = region_of(tweet)
        if region is None:
            return set()
        near = self._boxes
        if self._grid is not None and (numbers := self._grid.near(region)) is not None:
            near = [self._boxes[number] for number in numbers]
        west, south, east, north = region
        # Inline instead of a method of Box: the calls would take most of the time.
        return {
            rule
            for (box_west, box_south, box_east, box_north), rules in near
            if box_west <= east and west <= box_east and box_south <= north and south <= box_north
            for rule in rules
        }


class _Grid:
    """Files boxes under cells of a size at which each covers only a few."""

    def __init__(self, boxes: Sequence[Box]) -> None:
        self._cells: dict[tuple[int, int, int], list[int]] = {}
        self._limit = len(boxes)
        for number, box in enumerate(boxes):
            extent = max(box.east - box.west, box.north - box.south)
            size = next(size for size in _CELL_SIZES_DEGREES if extent <= size)
            for cell in _cells(box, size):
                self._cells.setdefault(cell, []).append(number)

    def near(self, region: Box) -> set[int] | None:
        """Return the numbers of all boxes that may overlap; None when trying every box costs less."""
        if (region.east - region.west + 2) * (region.north - region.south + 2) > self._limit:
            return None
        cells = (cell for size in _CELL_SIZES_DEGREES for cell in _cells(region, size))
        return {number for cell in cells for number in self._cells.get(cell, ())}


def _cells(box: Box, size: int) -> Iterator[tuple[int, int, int]]:
    columns = range(math.floor(box.west / size), math.floor(box.east / size) + 1)
    rows = range(math.floor(box.south / size), math.floor(box.north / size) + 1)
    return ((size, column, row) for column, row in itertools.product(columns, rows))
