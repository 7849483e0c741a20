"""An app with two connections has a gap only while neither of them streams."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from traptor.supervisor.gaps.interval import GapCause, Instant, Interval, IntervalKind
from traptor.supervisor.gaps.second import SecondTracker
from traptor.supervisor.gaps.timeline import GapTracker


def at(second: float) -> Instant:
    return Instant(1_790_000_000.0 + second, second)


class Pair:
    def __init__(self) -> None:
        self.taken: list[Interval] = []
        self.first = GapTracker("v2:app", at(0), self.taken.append)
        self.second = SecondTracker("v2:app.2", at(0), self.first)
        for one in (self.first, self.second):
            one.planned(GapCause.START, at(0))

    def gaps(self) -> list[tuple[GapCause | None, float, float]]:
        return [
            (one.cause, one.from_.mono, one.to.mono) for one in self.taken if one.kind is IntervalKind.GAP
        ]


def test_the_gap_lasts_while_both_are_away_and_has_the_cause_of_the_last_end() -> None:
    pair = Pair()
    pair.first.streaming(1, at(1))
    pair.second.streaming(1, at(2))
    pair.first.stopped(1, GapCause.CRASH, at(3))
    pair.first.cause_changed(GapCause.NETWORK, at(3.5))
    assert pair.first.kind is IntervalKind.STREAMING
    assert pair.second.kind is IntervalKind.STREAMING
    pair.first.streaming(2, at(4))
    pair.second.stopped(1, GapCause.CRASH, at(5))
    assert pair.gaps() == [(GapCause.START, 0, 1)]
    assert pair.second.kind is IntervalKind.GAP
    pair.first.stopped(2, GapCause.STALL, at(6))
    pair.second.streaming(2, at(8))
    assert pair.gaps() == [(GapCause.START, 0, 1), (GapCause.STALL, 6, 8)]


def test_what_neither_had_read_is_a_gap() -> None:
    """One ended before what the other one, which ends too, had read last."""
    pair = Pair()
    pair.first.streaming(1, at(1))
    pair.second.streaming(1, at(1))
    pair.first.stopped(1, GapCause.REFRESH, at(10))
    pair.first.streaming(2, at(12))
    pair.second.stopped(1, GapCause.REFRESH, at(11))
    assert pair.gaps() == [(GapCause.START, 0, 1), (GapCause.REFRESH, 11, 12)]


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 5)), max_size=30))
def test_the_sums_are_those_of_the_times_in_which_any_streams(steps: list[tuple[int, int]]) -> None:
    pair, now, open_, numbers = Pair(), 0, [False, False], [0, 0]
    streamed = 0
    for who, passed in steps:
        now += passed
        streamed += passed * any(open_)
        tracker = (pair.first, pair.second)[who]
        if open_[who]:
            tracker.stopped(numbers[who], GapCause.NETWORK, at(now))
        else:
            numbers[who] += 1
            tracker.streaming(numbers[who], at(now))
        open_[who] = not open_[who]
    totals = pair.first.totals(at(now))
    assert totals.streaming_s == streamed
    assert totals.streaming_s + sum(totals.gaps_s.values()) == now
