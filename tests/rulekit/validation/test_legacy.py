"""The original's Manager API is answered in its shapes: its own tests' values."""

from __future__ import annotations

from typing import Any

import pytest

from traptor.rulekit.validation.legacy import answered, geo_result, problem_of


def feature(*points: list[float]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [list(points)]}}


def test_two_corners_on_the_map_are_legacy() -> None:
    assert geo_result("80,80,80,80") == ("80,80,80,80", {"status": "ok", "geo_type": "legacy"})
    _, result = geo_result("100,100,100,100")
    assert result == {"status": "error", "error": "Lat/lon out of range: 100, 100"}


def test_a_polygon_is_geo_json_and_shown_with_its_rings_closed() -> None:
    points = [[100.0, -80.0], [101.0, 0.0], [101.0, 0.0], [101.0, 1.0], [100.0, 1.0]]
    value, result = geo_result(feature(*points))
    assert result == {"status": "ok", "geo_type": "geo_json"}
    assert value == feature([100.0, -80.0], [101.0, 0.0], [101.0, 1.0], [100.0, 1.0], [100.0, -80.0])


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (feature([100.0, -100.0], [101.0, 0.0], [101.0, 1.0]), "leaves the map"),
        ({"type": "Point"}, "GeoJSON type not supported: Point"),
        ({"type": "Feature", "geometry": {"type": "Point"}}, "GeoJSON geometry type not supported: Point"),
        ({"type": "Feature"}, "Invalid GeoJSON object"),
        ("1,2,3", "expected 4 values"),
        ("a,b,c,d", "could not convert"),
    ],
)
def test_what_is_no_area_is_an_error(value: object, error: str) -> None:
    _, result = geo_result(value)
    assert result["status"] == "error"
    assert error in result["error"]


def test_the_answer_has_the_rule_as_its_context_and_500_for_an_error() -> None:
    rule = {"type": "keyword", "value": "news"}
    assert answered(rule, {"status": "ok", "tweets_per_second": 0}) == (
        {"context": rule, "status": "ok", "tweets_per_second": 0},
        200,
    )
    assert answered(rule, {"status": "error", "error": "x"})[1] == 500


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"type": "keyword", "value": "x"}, ""),
        ({"type": "keyword"}, "'value' is a required property"),
        ({"value": "x"}, "'type' is a required property"),
        ({"type": "x", "value": "x"}, "'x' is not one of"),
        ({"type": "geo", "value": 3}, "3 is not of type"),
        ([], "not an object"),
    ],
)
def test_a_request_of_another_form_is_a_bad_request(rule: object, problem: str) -> None:
    assert problem in problem_of(rule) if problem else problem_of(rule) == ""
