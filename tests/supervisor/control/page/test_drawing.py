"""Sparklines and strips: their shapes, and the words that say the same."""

from __future__ import annotations

from typing import Any

from traptor.common.fills import FillMethod
from traptor.supervisor.control.page.drawing import DAY_S, NO_SPARK, SPARK_HEIGHT, WIDTH, spark, strips
from traptor.supervisor.gaps.fill import Fill, FillState

NOW = 1_795_428_000.0


def interval(kind: str, begin_s: float, end_s: float, cause: str | None = None, name: str = "track:0") -> Any:
    """An interval by how long ago it began and ended."""
    return {
        "connection": name,
        "kind": kind,
        "cause": cause,
        "from": f"-{begin_s}",
        "to": f"-{end_s}",
        "from_unix": NOW - begin_s,
        "to_unix": NOW - end_s,
        "seconds": begin_s - end_s,
    }


def test_rates_end_at_the_right_edge_and_stay_inside() -> None:
    line = spark([0.0, 10.0, 5.0], steps=60)
    points = [tuple(map(float, point.split(","))) for point in line.points.split()]
    assert points[-1][0] == WIDTH
    assert all(0 <= x <= WIDTH and 0 <= y <= SPARK_HEIGHT for x, y in points)
    assert points[1][1] < points[2][1] < points[0][1], "more is higher"
    assert line.words == "tweets/s of the last 3 minutes: 0.0 to 10.0"
    assert spark([], steps=60) is NO_SPARK


def test_a_strip_covers_the_day_and_marks_what_was_missed() -> None:
    found = strips(
        [
            interval("gap", DAY_S, DAY_S / 2, "start"),
            interval("streaming", DAY_S / 2, 100.0),
            interval("gap", 100.0, 60.0, "crash"),
            interval("gap", 60.0, 58.0, "no_key"),
            interval("streaming", 58.0, 0.0),
        ],
        NOW,
    )
    strip = found["track:0"]
    begun, *_ = (one for one in strip.stretches if "start" in one.words)
    assert (begun.kind, begun.x, begun.width) == ("gap", 0.0, WIDTH / 2)
    crash = next(one for one in strip.stretches if one.words.startswith("crash"))
    assert crash.width > 0.5, "40 s of a day could not be seen"
    assert strip.stretches[-1].kind == "gap", "gaps are on top"
    assert strip.words.startswith("collected 49.95%")
    assert strip.words.endswith("2 gaps"), "a gap that goes on for another cause is one"


def test_a_refresh_is_no_fault_and_time_without_rules_is_none_either() -> None:
    found = strips(
        [interval("unplanned", DAY_S, 100.0), interval("gap", 100.0, 99.0, "refresh", name="follow:0")], NOW
    )
    assert found["track:0"].words == "not wanted in the last 24 hours"
    assert [one.kind for one in found["follow:0"].stretches] == ["refresh"]


def test_a_gap_says_how_it_was_filled() -> None:
    fill = Fill(1, "v2:app", 1.0, 2.0, FillMethod.SEARCH, FillState.DONE, posts=41, dollars=0.205, at=0.0)
    gap = interval("gap", 100.0, 60.0, "crash", name="v2:app") | {"filled": [fill.as_json()]}
    [stretch] = strips([gap], NOW)["v2:app"].stretches
    assert stretch.words == "crash: -100.0 to -60.0; filled by search 00:00, 41 posts, $0.20"
