"""A rule is silent by its own measure, and rules are sorted by what they bring."""

from __future__ import annotations

import pytest

from traptor.common.rules.rule import GroupId
from traptor.rulekit.changes.holdings import Stored
from traptor.rulekit.figures.figure import HOUR_S, Figure
from traptor.rulekit.figures.report import Order, ordered, reports

NOW = 1_795_514_400.0
TRACK = GroupId.parse("track:0")


def figure(
    name: str = "a", *, counted: int = 101, every_s: float = 60.0, ago_s: float = 0.0, **more
) -> Figure:
    """A rule that matched `counted` times, regularly, the last time `ago_s` ago."""
    last = NOW - ago_s
    return Figure(f"track:0:{name}", counted, counted, last - (counted - 1) * every_s, last, **more)


@pytest.mark.parametrize(
    ("every_s", "ago_s", "is_silent"),
    [
        (60.0, 60.0, False),
        (60.0, 890.0, False),  # bursts have pauses
        (60.0, 901.0, True),
        (3_600.0, 7 * 3_600.0, False),
        (3_600.0, 9 * 3_600.0, True),
        (86_400.0, 5 * 86_400.0, False),
    ],
)
def test_silence_is_judged_by_a_rules_own_usual_interval(
    every_s: float, ago_s: float, is_silent: bool
) -> None:
    silent = figure(every_s=every_s, ago_s=ago_s).silent_s(NOW)
    assert silent == (ago_s if is_silent else None)


def test_a_rule_that_matched_hardly_or_never_has_no_usual_interval() -> None:
    assert figure(counted=4).usual_interval_s() is None
    assert Figure("track:0:a").silent_s(NOW) is None


def test_matches_before_the_first_noted_one_do_not_make_the_interval_shorter() -> None:
    old = Figure("track:0:a", 1_000_000, 11, NOW - 1_000, NOW)
    assert old.usual_interval_s() == 100.0


def test_the_last_hour_is_this_one_and_the_one_before() -> None:
    hour = int(NOW) // HOUR_S
    told = figure(hours={hour: 2, hour - 1: 3, hour - 5: 10}).as_json(NOW)
    assert (told["last_hour"], told["last_day"]) == (5, 15)


def stored(name: str, value: str) -> Stored:
    return Stored(f"traptor-track:0:{name}", TRACK, name, {"value": value})


def test_rules_are_sorted_and_those_that_share_a_value_are_known() -> None:
    rules = [stored("a", "x,y"), stored("b", "y"), stored("c", "z"), stored("d", "y")]
    hour = int(NOW) // HOUR_S
    figures = {
        "track:0:a": figure("a", counted=5, hours={hour: 1}),
        "track:0:b": figure("b", counted=50, ago_s=10_000.0),
        "track:0:c": figure("c", counted=9, hours={hour: 7}, held=3),
    }
    found = reports(rules, figures)

    def names(order: Order) -> list[str]:
        return [one.rule.rule_id for one in ordered(found, order, NOW)]

    assert names(Order.DAY) == ["c", "a", "b", "d"]
    assert names(Order.TOTAL) == ["b", "c", "a", "d"]
    assert names(Order.SILENT) == ["b"]
    assert names(Order.SHARED) == ["a", "b", "d"]
    assert names(Order.HELD) == ["c"]
    assert found[0].as_json(NOW, 0.005)["dollars_last_day"] == 0.005
    assert "dollars_last_day" not in found[0].as_json(NOW, None)


def test_the_most_unusually_silent_comes_first_not_the_longest() -> None:
    rules = [stored("rare", "x"), stored("busy", "y")]
    figures = {
        "track:0:rare": figure("rare", every_s=10_000.0, ago_s=100_000.0),
        "track:0:busy": figure("busy", every_s=1.0, ago_s=2_000.0),
    }
    found = ordered(reports(rules, figures), Order.SILENT, NOW)
    assert [one.rule.rule_id for one in found] == ["busy", "rare"]


def test_matches_all_at_once_have_an_order_too() -> None:
    assert figure(every_s=0.0, ago_s=2_000.0).silent_intervals(NOW) == 2_000.0
    assert figure(every_s=10.0, ago_s=20.0).silent_intervals(NOW) == 0.0
