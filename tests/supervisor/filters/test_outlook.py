"""A value shows what it becomes at X before it is a rule."""

from __future__ import annotations

import tracemalloc

from traptor.common.rules.rule import RuleType
from traptor.supervisor.filters.composition import Allowance
from traptor.supervisor.filters.outlook import outlook

ALLOWANCE = Allowance(1_000, 1_024)


def test_words_are_filters_of_their_own_and_followed_accounts_share_one() -> None:
    told = outlook(RuleType.TRACK, ["flood warning", "#storm"], ALLOWANCE)
    assert (told["clauses"], told["filters"], told["refused"]) == (["flood warning", "#storm"], 2, [])
    told = outlook(RuleType.FOLLOW, ["1", "2", "3"], ALLOWANCE)
    assert told["filters"] == 1
    assert told["losses"] == ["replies typed by hand are found only where X takes them for replies"]


def test_what_x_cannot_say_is_refused_by_value() -> None:
    told = outlook(RuleType.LOCATIONS, ["-20,30,40,70"], ALLOWANCE)
    assert (told["filters"], told["clauses"]) == (0, [])
    [refused] = told["refused"]  # type: ignore[misc]  # JSON
    assert refused["value"] == "-20,30,40,70"
    assert "draw a smaller box" in refused["reason"]


def test_boxes_of_any_size_and_number_take_little_memory() -> None:
    worlds = [f"-180,-90,180,{90 - number / 1000}" for number in range(1_000)]
    tracemalloc.start()
    try:
        told = outlook(RuleType.LOCATIONS, worlds, ALLOWANCE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000
    assert [one["value"] for one in told["refused"]] == worlds  # type: ignore[attr-defined]  # JSON
