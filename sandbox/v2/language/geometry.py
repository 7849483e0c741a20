"""Boxes and circles on the map, in degrees and miles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

EARTH_RADIUS_MI = 3958.8
MI_PER_KM = 0.621371
MAX_MI = 25.0
_CELLS_PER_DEGREE = 2
_MOST_CELLS = 64
_ANYWHERE = "cell:any"  # every post with a place or a point has this key

Point = tuple[float, float]  # longitude, latitude


class Box(NamedTuple):
    """A rectangle of longitudes and latitudes, its edges included."""

    west: float
    south: float
    east: float
    north: float

    def holds(self, point: Point) -> bool:
        """Tell whether a point lies in the box."""
        return self.west <= point[0] <= self.east and self.south <= point[1] <= self.north

    def covers(self, other: Box) -> bool:
        """Tell whether another box lies fully inside this one."""
        return all(self.holds(corner) for corner in other.corners())

    def corners(self) -> tuple[Point, Point, Point, Point]:
        """Return the four corners."""
        return (
            (self.west, self.south),
            (self.west, self.north),
            (self.east, self.north),
            (self.east, self.south),
        )

    def size_mi(self) -> tuple[float, float]:
        """Return width, at its widest, and height in miles."""
        widest = 0.0 if self.south <= 0 <= self.north else min(abs(self.south), abs(self.north))
        width = math.radians(self.east - self.west) * math.cos(math.radians(widest)) * EARTH_RADIUS_MI
        return width, math.radians(self.north - self.south) * EARTH_RADIUS_MI


class Circle(NamedTuple):
    """All points within a distance of a centre."""

    centre: Point
    radius_mi: float

    def holds(self, point: Point) -> bool:
        """Tell whether a point lies in the circle."""
        return distance_mi(self.centre, point) <= self.radius_mi

    def covers(self, box: Box) -> bool:
        """Tell whether a box lies fully inside the circle."""
        return all(self.holds(corner) for corner in box.corners())

    def around(self) -> Box:
        """Return a box that contains the whole circle."""
        longitude, latitude = self.centre
        high = math.degrees(self.radius_mi / EARTH_RADIUS_MI) * 1.01
        steepest = min(abs(latitude) + high, 90.0)
        wide = 360.0 if steepest > 89 else high / math.cos(math.radians(steepest))
        return Box(longitude - wide, latitude - high, longitude + wide, latitude + high)


def distance_mi(one: Point, other: Point) -> float:
    """Return the distance of two points over the surface."""
    (lon1, lat1), (lon2, lat2) = (map(math.radians, point) for point in (one, other))
    half = (
        math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_MI * math.asin(math.sqrt(min(half, 1.0)))


def keys_of_area(box: Box) -> frozenset[str]:
    """Return keys such that every point in the box has one of them."""
    columns = _range(box.west, box.east)
    rows = _range(box.south, box.north)
    if len(columns) * len(rows) > _MOST_CELLS or box.west < -180 or box.east > 180:
        return frozenset({_ANYWHERE})
    return frozenset(f"cell:{x}:{y}" for x in columns for y in rows)


def keys_of_point(point: Point) -> Iterator[str]:
    """Yield the keys by which areas around the point are found."""
    yield _ANYWHERE
    yield f"cell:{_cell(point[0])}:{_cell(point[1])}"


def _range(low: float, high: float) -> range:
    return range(_cell(low), _cell(high) + 1)


def _cell(degrees: float) -> int:
    return math.floor(degrees * _CELLS_PER_DEGREE)
