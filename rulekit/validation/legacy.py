"""Answers of the original's Manager API, `/v1.0/validate` and `/v1.0/screen_name`, in its shapes; pure.

It answered 500 for a value that it did not like, and called a box of two points `legacy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from traptor.rulekit.validation.shapes import read_polygons

TYPES = ("hashtag", "geo", "keyword", "username")
Answer = tuple[dict[str, Any], int]


def bad_request(detail: str) -> Answer:
    """Return its answer to a request of another form."""
    return {"detail": detail, "status": 400, "title": "Bad Request", "type": "about:blank"}, 400


def problem_of(rule: object) -> str:
    """Return why a request to validate has another form; empty if it has not."""
    if not isinstance(rule, Mapping):
        return "the request body is not an object"
    for name in ("type", "value"):
        if name not in rule:
            return f"'{name}' is a required property"
    if rule["type"] not in TYPES:
        return f"{rule['type']!r} is not one of {list(TYPES)!r}"
    if not isinstance(rule["value"], str | dict):
        return f"{rule['value']!r} is not of type 'string', 'object'"
    return ""


def answered(rule: Mapping[str, Any], result: Mapping[str, Any]) -> Answer:
    """Return the answer with a result: 200 if its status is ok, else 500."""
    return {"context": rule, **result}, 200 if result["status"] == "ok" else 500


def geo_result(value: object) -> tuple[object, dict[str, Any]]:
    """Return the value as the answer shows it (rings closed), and the result.

    It took any two points on the map: what is collected of them is another question.
    """
    try:
        if isinstance(value, str):
            _check_corners(value)
            return value, {"status": "ok", "geo_type": "legacy"}
        if not isinstance(value, Mapping):
            raise ValueError("GeoJSON type not supported: None")  # noqa: TRY004 - the content is wrong
        return _closed(value), {"status": "ok", "geo_type": "geo_json"}
    except ValueError as error:
        return value, {"status": "error", "error": str(error)}


def _check_corners(text: str) -> None:
    parts = text.split(",")
    if len(parts) != 4:
        raise ValueError(f"expected 4 values, got {len(parts)}")
    for longitude, latitude in (parts[:2], parts[2:]):
        if not (-90 <= float(latitude) <= 90 and -180 <= float(longitude) <= 180):
            raise ValueError(f"Lat/lon out of range: {latitude}, {longitude}")


def _closed(value: Mapping[str, Any]) -> object:
    kind = value.get("type")
    if str(kind or "").lower() != "feature":
        raise ValueError(f"GeoJSON type not supported: {kind}")
    geometry = value.get("geometry")
    if not isinstance(geometry, Mapping):
        raise ValueError("Invalid GeoJSON object")  # noqa: TRY004 - as above
    if str(geometry.get("type") or "").lower() != "polygon":
        raise ValueError(f"GeoJSON geometry type not supported: {geometry.get('type')}")
    [rings] = read_polygons(geometry)
    closed = deepcopy(dict(value))
    closed["geometry"]["coordinates"] = [[list(point) for point in ring] for ring in rings]
    return closed
