"""Values: what a filter asks for and what a tweet is made for, in one comparable form."""

from __future__ import annotations

import math
import re
import sys
from enum import StrEnum
from typing import NamedTuple

from traptor.sandbox.errors import BadInput

MAX_PHRASE_BYTES = 60  # Twitter, "Standard stream parameters", track
_USER_ID = re.compile(r"[0-9]{1,19}")
_NUMBERS = re.compile(r"\s*-?[0-9.]+\s*(,\s*-?[0-9.]+\s*)+")


class FilterType(StrEnum):
    """The three parameters of statuses/filter that request tweets."""

    TRACK = "track"
    FOLLOW = "follow"
    LOCATIONS = "locations"

    @classmethod
    def parse(cls, text: object) -> FilterType:
        """Read a type; `location` is accepted for `locations`. Raises BadInput."""
        if text == "location":
            return cls.LOCATIONS
        if text not in ("track", "follow", "locations"):
            raise BadInput(f"type: {text!r} is none of track, follow, locations")
        return cls(str(text))


class Value(NamedTuple):
    """One phrase, user id or box, normalised: two that mean the same to Twitter are equal."""

    type: FilterType
    text: str

    def box(self) -> tuple[float, float, float, float]:
        """Return west, south, east, north of a locations value."""
        west, south, east, north = (float(number) for number in self.text.split(","))
        return west, south, east, north


def parse_track(text: str) -> list[Value]:
    """Read comma-separated phrases, 1 to 60 bytes of UTF-8 each. Raises BadInput."""
    return [_phrase(part) for part in text.split(",")]


def parse_follow(text: str) -> list[Value]:
    """Read comma-separated numeric user ids. Raises BadInput."""
    return [_user_id(part.strip()) for part in text.split(",")]


def parse_locations(text: str) -> list[Value]:
    """Read boxes of four numbers each, west, south, east, north in degrees. Raises BadInput."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise BadInput("locations: not a comma-separated list of numbers") from None
    if len(numbers) % 4:
        raise BadInput(f"locations: {len(numbers)} numbers are not boxes of four")
    return [_box(*numbers[start : start + 4]) for start in range(0, len(numbers), 4)]


_PARSERS = {
    FilterType.TRACK: parse_track,
    FilterType.FOLLOW: parse_follow,
    FilterType.LOCATIONS: parse_locations,
}


def parse_values(kind: FilterType, text: str) -> list[Value]:
    """Read the values of one rule or one form parameter, each once, in order. Raises BadInput."""
    return list(dict.fromkeys(_PARSERS[kind](text)))


def parse_rule(rule: object) -> list[Value]:
    """Read `{"type": ..., "value": ...}`. Raises BadInput."""
    if not isinstance(rule, dict) or "type" not in rule or "value" not in rule:
        raise BadInput('a rule is an object like {"type": "track", "value": "flood warning"}')
    if not isinstance(rule["value"], str):
        raise BadInput("value: must be a string")
    return parse_values(FilterType.parse(rule["type"]), rule["value"])


def parse_loose(item: object) -> list[Value]:
    """Read a rule object, or a bare string: numbers with commas are boxes, digits a user id, else phrases.

    Raises BadInput.
    """
    if not isinstance(item, str):
        return parse_rule(item)
    if item.strip().isdecimal():
        return parse_values(FilterType.FOLLOW, item)
    return parse_values(FilterType.LOCATIONS if _NUMBERS.fullmatch(item) else FilterType.TRACK, item)


def _phrase(part: str) -> Value:
    text = " ".join(part.lower().split())
    if any("\ud800" <= char <= "\udfff" for char in part):
        raise BadInput("track: half a surrogate pair in a phrase")
    size = len(part.strip().encode())
    if not text:
        raise BadInput("track: an empty phrase")
    if size > MAX_PHRASE_BYTES:
        raise BadInput(f"track: a phrase of {size} bytes; at most {MAX_PHRASE_BYTES} are allowed")
    return Value(FilterType.TRACK, sys.intern(text))


def _user_id(part: str) -> Value:
    if not _USER_ID.fullmatch(part) or not 0 < int(part) < 2**63:
        raise BadInput(f"follow: {part[:40]!r} is not a user id")
    return Value(FilterType.FOLLOW, sys.intern(str(int(part))))


def _box(west: float, south: float, east: float, north: float) -> Value:
    numbers = (west, south, east, north)
    if not all(math.isfinite(number) for number in numbers):
        raise BadInput("locations: not a finite number")
    text = ",".join(repr(number + 0.0) for number in numbers)  # + 0.0: no "-0.0"
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise BadInput(f"locations: {text} reaches over the edge of the map")
    if west >= east or south >= north:
        raise BadInput(f"locations: {text} is not in the order west, south, east, north")
    return Value(FilterType.LOCATIONS, sys.intern(text))
