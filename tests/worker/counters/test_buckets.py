"""Each rule with a rate limit has a bucket of its own; without one, everything is delivered."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from traptor.common.rules.normalise import read_rule
from traptor.common.rules.rule import Limits, Rule
from traptor.common.timing.rates import RateLimit, read_rate_limit
from traptor.worker.counters.buckets import Buckets


def rule(name: str, group: str = "track:0", **fields: str) -> Rule:
    found = read_rule(f"traptor-{group}:{name}", {"value": "x", **fields}, True, Limits())
    assert isinstance(found, Rule)
    return found


class Steps:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def delivered(buckets: Buckets, index: int, times: int) -> int:
    return sum(not buckets.exceeding([index]) for _ in range(times))


def make(rows: Sequence[tuple[str, str]], *rules: Rule, clock: Steps | None = None) -> Buckets:
    buckets = Buckets(rows, clock or Steps())
    buckets.use(rules)
    return buckets


def test_without_a_limit_nothing_exceeds() -> None:
    buckets = make([], rule("a"))
    assert delivered(buckets, 0, 10_000) == 10_000


def test_a_bucket_gives_its_capacity_at_once_and_its_rate_in_the_long_run() -> None:
    clock = Steps()
    buckets = make([("track:*", "2 10")], rule("a"), rule("b"), clock=clock)
    assert delivered(buckets, 0, 50) == 10
    assert delivered(buckets, 1, 50) == 10  # each rule has its own
    clock.now += 3
    assert delivered(buckets, 0, 50) == 6
    clock.now += 1_000
    assert delivered(buckets, 0, 50) == 10


def test_the_line_that_names_the_group_counts_and_a_rules_own_fields_before_it() -> None:
    rows = [("track:*", "1 5"), ("track:3", "1 7"), ("follow:*", "1 2")]
    rules = (
        rule("a"),
        rule("b", "track:3"),
        rule("c", "track:3", rate="1", capacity="9"),
        rule("d", rate="none"),
        rule("e", rate="often"),
    )
    buckets = make(rows, *rules)
    assert [delivered(buckets, index, 20) for index in range(5)] == [5, 7, 9, 20, 5]
    assert buckets.unreadable == 1


def test_only_the_rules_that_exceed_are_named() -> None:
    buckets = make([("track:0", "1 1")], rule("a"), rule("b", "track:1"))
    assert list(buckets.exceeding([0, 1])) == []
    assert list(buckets.exceeding([0, 1])) == [0]


def test_a_rule_keeps_its_bucket_through_a_change_of_rules() -> None:
    buckets = make([("*", "1 3")], rule("a"))
    assert delivered(buckets, 0, 9) == 3
    buckets.use([rule("new"), rule("a")])
    assert [delivered(buckets, index, 9) for index in (0, 1)] == [3, 0]


@pytest.mark.parametrize(
    ("text", "limit"),
    [("2 600", RateLimit(2.0, 600.0)), ("0.5", RateLimit(0.5, 30.0)), ("0.001", RateLimit(0.001, 1.0))],
)
def test_a_limit_is_a_rate_and_a_capacity(text: str, limit: RateLimit) -> None:
    assert read_rate_limit(*text.split()) == limit


@pytest.mark.parametrize("text", ["0", "-1", "x", "1 0", "1 x", "1e3", "nan"])
def test_a_limit_that_is_none_says_so(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        read_rate_limit(*text.split())


def test_the_json_of_a_rule_that_names_no_rate_is_not_read() -> None:
    unlimited = msgspec.structs.replace(rule("a"), json=b"no JSON")
    limited = rule("b", rate="2", capacity="3")
    assert (unlimited.has_rate, limited.has_rate) == (False, True)
    buckets = make([], unlimited, limited)
    assert (delivered(buckets, 0, 10), delivered(buckets, 1, 10)) == (10, 3)
