"""Areas as people give them: text, bbox, GeoJSON; and the boxes that can be collected for them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Point = tuple[float, float]
Ring = list[Point]
_MOST_POINTS = 10_000
_MOST_POLYGONS = 100


@dataclass(frozen=True, slots=True)
class Area:
    """Boxes `west,south,east,north`, as text of a locations rule, and what they have beyond the area."""

    value: str
    note: str = ""


def read_area(value: object) -> Area:
    """Return the boxes of an area. Raises ValueError with the reason why there are none."""
    match value:
        case str():
            return Area(value)
        case list() | tuple():
            return Area(_box_of(value))
        case dict():
            return _area_of_object(value)
    raise ValueError("an area is a text `west,south,east,north`, a bbox of four numbers, or GeoJSON")


def read_polygons(value: Mapping[str, Any]) -> list[list[Ring]]:
    """Return the polygons of a GeoJSON object: rings, the outer first, closed and without repeated points.

    Raises ValueError.
    """
    kind = str(value.get("type") or "").lower()
    if kind == "feature":
        geometry = value.get("geometry")
        if not isinstance(geometry, Mapping):
            raise ValueError("the feature has no geometry")
        return read_polygons(geometry)
    if kind == "featurecollection":
        features = value.get("features")
        if not isinstance(features, list) or not features:
            raise ValueError("the collection has no features")
        return [polygon for feature in features for polygon in read_polygons(_mapping(feature))]
    coordinates = value.get("coordinates")
    if kind == "polygon":
        return [_polygon(coordinates)]
    if kind == "multipolygon":
        if not isinstance(coordinates, list) or not coordinates:
            raise ValueError("the list of coordinates is empty")
        return [_polygon(one) for one in coordinates]
    raise ValueError(
        f"GeoJSON of type {str(value.get('type'))[:40]!r} is no area: expected Polygon or MultiPolygon"
    )


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("a feature is not an object")  # noqa: TRY004 - the content is wrong
    return value


def _area_of_object(value: Mapping[str, Any]) -> Area:
    if "type" not in value and isinstance(value.get("bbox"), list):
        return Area(_box_of(value["bbox"]))
    polygons = read_polygons(value)
    if len(polygons) > _MOST_POLYGONS:
        raise ValueError(f"{len(polygons)} polygons; at most {_MOST_POLYGONS} are taken at once")
    boxes = [_around(rings[0]) for rings in polygons]
    beyond = 1 - sum(map(_size, polygons)) / max(sum(map(_box_size, boxes)), 1e-12)
    note = ""
    if beyond > 0.01:
        note = (
            f"boxes are collected, not polygons: {beyond:.0%} of what is collected lies outside of the"
            " polygon, by area"
        )
    return Area(",".join(f"{number:.9f}".rstrip("0").rstrip(".") for box in boxes for number in box), note)


def _box_of(numbers: Sequence[object]) -> str:
    if len(numbers) != 4:
        raise ValueError(f"{len(numbers)} numbers; a bbox has four: west,south,east,north")
    return ",".join(repr(_number(number)) for number in numbers)


def _polygon(rings: object) -> list[Ring]:
    if not isinstance(rings, list) or not rings:
        raise ValueError("the list of coordinates is empty")
    return [_ring(ring) for ring in rings]


def _ring(ring: object) -> Ring:
    if not isinstance(ring, list) or not ring:
        raise ValueError("a ring of the coordinates is not a list of points, or is empty")
    if len(ring) > _MOST_POINTS:
        raise ValueError(f"a ring has {len(ring)} points; at most {_MOST_POINTS} are taken")
    points = list(_distinct(_point(point) for point in ring))
    if len(points) >= 3 and points[0] != points[-1]:
        points.append(points[0])
    if len(points) < 4:
        raise ValueError("a ring of the coordinates is too short: it needs three different points")
    return points


def _distinct(points: Iterator[Point]) -> Iterator[Point]:
    last = None
    for point in points:
        if point != last:
            yield point
        last = point


def _point(point: object) -> Point:
    if not isinstance(point, list | tuple) or len(point) < 2:
        raise ValueError("a point is not a pair of longitude and latitude")
    longitude, latitude = _number(point[0]), _number(point[1])
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise ValueError(f"the point {longitude:g},{latitude:g} leaves the map (longitude first)")
    return longitude, latitude


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{str(value)[:40]!r} is not a number of degrees")  # noqa: TRY004 - as above
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{str(value)[:40]!r} is not a number of degrees") from None
    if not math.isfinite(number):
        raise ValueError(f"{str(value)[:40]!r} is not a number of degrees")
    return number


def _around(ring: Ring) -> tuple[float, float, float, float]:
    longitudes, latitudes = zip(*ring, strict=True)
    return min(longitudes), min(latitudes), max(longitudes), max(latitudes)


def _box_size(box: tuple[float, float, float, float]) -> float:
    west, south, east, north = box
    return (east - west) * (north - south)


def _size(rings: Sequence[Ring]) -> float:
    outer, *holes = (abs(_signed(ring)) for ring in rings)
    return max(outer - sum(holes), 0.0)


def _signed(ring: Ring) -> float:
    pairs = pairwise(ring)
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs) / 2
