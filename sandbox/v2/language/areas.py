"""Terms about the place that a post was sent from.

They use the exact point; only without one the place, which must lie fully inside. A repost has no geography,
and that of a quoted post does not count.
"""

from __future__ import annotations

import math
import re

from traptor.sandbox.v2.language.errors import InvalidRule
from traptor.sandbox.v2.language.facts import Facts
from traptor.sandbox.v2.language.geometry import MAX_MI, MI_PER_KM, Box, Circle, keys_of_area
from traptor.sandbox.v2.language.nodes import Term
from traptor.sandbox.v2.language.words import fold, spaced

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_RADIUS = re.compile(r"([0-9]+(?:\.[0-9]+)?)(mi|km)")


def bounding_box(text: str, is_bracketed: bool, position: int) -> Term:
    """Return a term for `[west south east north]`. Raises InvalidRule."""
    parts = text.split()
    if not is_bracketed or len(parts) != 4:
        raise InvalidRule("bounding_box: [west south east north] is expected", position)
    box = Box(*(_degrees(part, position) for part in parts))
    _check_map((box.west, box.east), (box.south, box.north), position)
    if box.west >= box.east or box.south >= box.north:
        raise InvalidRule("bounding_box: west and south must be less than east and north", position)
    width, height = box.size_mi()
    if width >= MAX_MI or height >= MAX_MI:
        raise InvalidRule(
            f"bounding_box: {width:.1f} by {height:.1f} miles; each side must be under {MAX_MI:g}", position
        )
    return _inside(box, box)


def point_radius(text: str, is_bracketed: bool, position: int) -> Term:
    """Return a term for `[longitude latitude radius]`, the radius in `mi` or `km`. Raises InvalidRule."""
    parts = text.split()
    if not is_bracketed or len(parts) != 3:
        raise InvalidRule("point_radius: [longitude latitude radius] is expected", position)
    longitude, latitude = (_degrees(part, position) for part in parts[:2])
    _check_map((longitude,), (latitude,), position)
    radius = _RADIUS.fullmatch(parts[2].lower())
    if radius is None:
        raise InvalidRule(f"point_radius: {parts[2][:40]!r} is not a radius like 16km or 10mi", position)
    miles = float(radius[1]) * (MI_PER_KM if radius[2] == "km" else 1.0)
    if not 0 < miles < MAX_MI:
        raise InvalidRule(f"point_radius: {miles:.1f} miles; the radius must be under {MAX_MI:g}", position)
    circle = Circle((longitude, latitude), miles)
    return _inside(circle, circle.around())


def place(text: str, tokens: list[str]) -> Term:
    """Return a term for the name or the id of a place."""
    wanted, phrase = fold(text), spaced(tokens)

    def test(facts: Facts) -> bool:
        where = facts.where
        return where.place_id == wanted or any(phrase in name for name in where.place_names)

    return Term(test)


def place_country(code: str) -> Term:
    """Return a term for a country code."""
    wanted = code.lower()
    return Term(lambda facts: facts.where.country_code == wanted, frozenset({f"place_country:{wanted}"}))


def _inside(area: Box | Circle, around: Box) -> Term:
    def test(facts: Facts) -> bool:
        where = facts.where
        if where.point is not None:
            return area.holds(where.point)
        return where.place_box is not None and area.covers(where.place_box)

    return Term(test, keys_of_area(around))


def _degrees(part: str, position: int) -> float:
    if not _NUMBER.fullmatch(part):
        raise InvalidRule(f"{part[:40]!r} is not a number of decimal degrees", position)
    return float(part)


def _check_map(longitudes: tuple[float, ...], latitudes: tuple[float, ...], position: int) -> None:
    is_on_map = all(abs(degrees) <= 180 for degrees in longitudes) and all(
        abs(degrees) <= 90 for degrees in latitudes
    )
    if not is_on_map or not all(map(math.isfinite, (*longitudes, *latitudes))):
        raise InvalidRule("longitudes lie within -180 and 180, latitudes within -90 and 90", position)
