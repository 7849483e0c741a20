"""The timeline of a connection: every second is streaming, a gap with a cause, or unplanned."""

import itertools
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traptor.supervisor.gaps.interval import GapCause, Instant, Interval, IntervalKind
from traptor.supervisor.gaps.timeline import GapTracker

WALL = 1_790_000_000.0
STREAMING, GAP, UNPLANNED = IntervalKind.STREAMING, IntervalKind.GAP, IntervalKind.UNPLANNED


def at(mono: float) -> Instant:
    return Instant(WALL + mono, mono)


class Told:
    """A timeline whose events return what they completed, as `take` was told it."""

    def __init__(self) -> None:
        self.taken: list[Interval] = []
        self.timeline = GapTracker("track:0", at(0), self.taken.append)

    def __getattr__(self, name: str) -> Any:
        """Pass on what the timeline shows; of its events return what they completed."""
        member = getattr(self.timeline, name)
        return partial(self._event, member) if name in EVENTS else member

    def _event(self, happen: Callable[..., None], *args: object) -> tuple[Interval, ...]:
        before = len(self.taken)
        happen(*args)
        return tuple(self.taken[before:])


EVENTS = ("planned", "unplanned", "cause_changed", "streaming", "stopped", "shut_down")


def tracker() -> Told:
    return Told()


def short(intervals: Iterable[Interval]) -> list[tuple[str, float, float]]:
    return [(each.cause or each.kind, each.from_.mono, each.to.mono) for each in intervals]


def test_a_start_is_a_gap_until_the_first_200() -> None:
    timeline = tracker()
    assert short(timeline.planned(GapCause.START, at(2))) == [("unplanned", 0, 2)]
    completed = timeline.streaming(1, at(5))
    assert completed == (Interval("track:0", GAP, GapCause.START, at(2), at(5)),)
    assert completed[0].seconds == 3
    assert short([timeline.open(at(9))]) == [("streaming", 5, 9)]


def test_a_crash_is_dated_to_the_last_report() -> None:
    timeline = tracker()
    timeline.planned(GapCause.START, at(0))
    timeline.streaming(1, at(1))
    assert short(timeline.stopped(1, GapCause.CRASH, at(6))) == [("start", 0, 1), ("streaming", 1, 6)][1:]
    assert short(timeline.streaming(2, at(7.5))) == [("crash", 6, 7.5)]


def test_an_overlap_leaves_no_gap() -> None:
    timeline = tracker()
    timeline.planned(GapCause.START, at(0))
    timeline.streaming(1, at(1))
    timeline.streaming(2, at(5))
    assert timeline.stopped(1, GapCause.REFRESH, at(5.5)) == ()
    assert timeline.kind is STREAMING
    assert short([timeline.open(at(8))]) == [("streaming", 1, 8)]


def test_a_stall_found_after_the_next_generation_began_shows_the_gap_before_it() -> None:
    timeline = tracker()
    timeline.planned(GapCause.START, at(0))
    timeline.streaming(1, at(1))
    timeline.streaming(2, at(60))
    assert short(timeline.stopped(1, GapCause.STALL, at(10))) == [("streaming", 1, 10), ("stall", 10, 60)]
    assert short([timeline.open(at(70))]) == [("streaming", 60, 70)]


def test_a_gap_is_split_where_its_cause_changes() -> None:
    timeline = tracker()
    timeline.planned(GapCause.START, at(0))
    timeline.streaming(1, at(1))
    timeline.stopped(1, GapCause.NETWORK, at(4))
    assert short(timeline.cause_changed(GapCause.RATE_LIMITED, at(6))) == [("network", 4, 6)]
    assert timeline.cause_changed(GapCause.RATE_LIMITED, at(7)) == ()
    assert short(timeline.streaming(1, at(10))) == [("rate_limited", 6, 10)]
    totals = timeline.totals(at(12))
    assert totals.gaps_s == {GapCause.START: 1, GapCause.NETWORK: 2, GapCause.RATE_LIMITED: 4}
    assert (totals.streaming_s, totals.unplanned_s, totals.elapsed_s) == (5, 0, 12)


def test_time_without_a_plan_is_no_gap() -> None:
    timeline = tracker()
    timeline.planned(GapCause.START, at(0))
    timeline.streaming(1, at(1))
    assert timeline.unplanned(at(5)) == ()
    assert short(timeline.stopped(1, GapCause.SHUTDOWN, at(6))) == [("streaming", 1, 6)]
    assert timeline.cause_changed(GapCause.CRASH, at(7)) == ()
    assert short([timeline.open(at(9))]) == [("unplanned", 6, 9)]
    assert short(timeline.planned(GapCause.NO_KEY, at(10))) == [("unplanned", 6, 10)]


def test_a_crash_before_the_plan_ended_is_a_gap_up_to_there() -> None:
    timeline = tracker()
    timeline.planned(GapCause.START, at(0))
    timeline.streaming(1, at(0))
    timeline.unplanned(at(5))
    assert short(timeline.stopped(1, GapCause.CRASH, at(4))) == [("streaming", 0, 4), ("crash", 4, 5)]
    assert timeline.kind is UNPLANNED


def test_events_that_repeat_what_is_known_change_nothing() -> None:
    timeline = tracker()
    timeline.planned(GapCause.START, at(0))
    assert timeline.planned(GapCause.NO_KEY, at(1)) == ()
    timeline.streaming(1, at(2))
    assert timeline.streaming(1, at(3)) == ()
    assert timeline.stopped(9, GapCause.CRASH, at(3)) == ()
    assert timeline.unplanned(at(4)) == timeline.unplanned(at(5)) == ()


def test_an_event_before_what_is_completed_counts_from_there() -> None:
    timeline = tracker()
    timeline.planned(GapCause.START, at(0))
    timeline.streaming(1, at(5))
    assert timeline.stopped(1, GapCause.CRASH, at(3)) == ()
    assert short([timeline.open(at(8))]) == [("crash", 5, 8)]


def test_wall_times_are_kept_beside_the_monotonic_ones() -> None:
    timeline = tracker()
    timeline.planned(GapCause.START, Instant(WALL, 0))
    (gap,) = timeline.streaming(1, Instant(WALL - 3600, 7))
    assert (gap.from_.wall, gap.to.wall, gap.seconds) == (WALL, WALL - 3600, 7)


def test_the_sums_count_all_intervals() -> None:
    timeline = tracker()
    timeline.planned(GapCause.START, at(0))
    for n in range(100):
        timeline.streaming(n, at(2 * n + 1))
        timeline.stopped(n, GapCause.NETWORK, at(2 * n + 2))
    totals = timeline.totals(at(200))
    assert totals.gaps_s == {GapCause.START: 1, GapCause.NETWORK: 99}
    assert totals.streaming_s == 100


def test_an_interval_names_the_last_generation_that_streamed() -> None:
    timeline = tracker()
    timeline.planned(GapCause.START, at(0))
    completed = [*timeline.streaming(3, at(1)), *timeline.streaming(4, at(5))]
    completed += [*timeline.stopped(3, GapCause.REFRESH, at(6)), *timeline.stopped(4, GapCause.CRASH, at(8))]
    completed += timeline.streaming(5, at(9))
    assert [each.generation for each in completed] == [None, 4, 4]
    stalled = [*timeline.streaming(6, at(20)), *timeline.stopped(5, GapCause.STALL, at(11))]
    assert short(stalled) == [("streaming", 9, 11), ("stall", 11, 20)]
    assert [each.generation for each in stalled] == [5, 5]


def test_a_clean_end_completes_the_gap_and_goes_on_as_a_shutdown() -> None:
    timeline = tracker()
    timeline.planned(GapCause.NO_KEY, at(0))
    assert short(timeline.shut_down(at(4))) == [("no_key", 0, 4)]
    assert short(timeline.streaming(1, at(9))) == [("shutdown", 4, 9)]
    assert timeline.shut_down(at(10)) == ()
    assert timeline.kind is STREAMING


def test_a_clean_end_is_no_gap_of_a_connection_that_nobody_wants() -> None:
    timeline = tracker()
    assert timeline.shut_down(at(4)) == ()
    assert short([timeline.open(at(9))]) == [("unplanned", 0, 9)]


def test_many_overlapping_refreshes_leave_nothing_behind() -> None:
    timeline = tracker()
    timeline.planned(GapCause.START, at(0))
    timeline.streaming(0, at(0))
    for n in range(1000):
        timeline.streaming(n + 1, at(n + 1))
        timeline.stopped(n, GapCause.REFRESH, at(n + 1.5))
    assert timeline._ended == [(at(999), at(1000.5))]
    assert short([timeline.open(at(1001))]) == [("streaming", 0, 1001)]


times = st.integers(0, 40)
causes = st.sampled_from(GapCause)
events = st.lists(
    st.one_of(
        st.tuples(st.just("planned"), causes, times),
        st.tuples(st.just("unplanned"), times),
        st.tuples(st.just("cause_changed"), causes, times),
        st.tuples(st.just("streaming"), st.integers(1, 4), times),
        st.tuples(st.just("stopped"), st.integers(1, 4), causes, times),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(events, st.booleans())
def test_the_intervals_cover_all_time_without_overlap_for_any_sequence(
    sequence: list[tuple], is_ordered: bool
) -> None:
    """Streaming, gaps and unplanned time add up to the time elapsed, though events come late or wrong."""
    if is_ordered:
        sequence = sorted(sequence, key=lambda event: event[-1])
    timeline, completed = tracker(), []
    shown = [timeline.open(at(41))]
    for name, *args, mono in sequence:
        completed += getattr(timeline, name)(*args, at(mono))
        shown = [*completed, timeline.open(at(41))]
        assert shown[0].from_ == at(0)
        assert all(one.to == two.from_ for one, two in itertools.pairwise(shown))
        assert all(each.seconds > 0 for each in completed)
        assert all((each.cause is not None) == (each.kind is GAP) for each in shown)
    totals = timeline.totals(at(41))
    assert totals.elapsed_s == 41
    assert timeline.taken == completed
    for kind, seconds in (
        (STREAMING, totals.streaming_s),
        (UNPLANNED, totals.unplanned_s),
        (GAP, sum(totals.gaps_s.values())),
    ):
        assert sum(each.seconds for each in shown if each.kind is kind) == seconds


spans = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10), st.integers(0, 10)), max_size=8)


@settings(deadline=None, max_examples=300)
@given(spans)
def test_streaming_time_is_the_union_of_the_generations_however_late_their_end_is_noticed(
    lives: list[tuple[int, int, int]],
) -> None:
    """Each life: when its stream began, how long it lasted, how much later its end was noticed."""
    news = []
    for generation, (began, lasted, late) in enumerate(lives):
        ended = began + lasted
        news.append((began, 0, "streaming", (generation, at(began))))
        news.append((ended + late, 1, "stopped", (generation, GapCause.CRASH, at(ended))))
    timeline = tracker()
    timeline.planned(GapCause.START, at(0))
    for _, _, name, args in sorted(news, key=lambda each: each[:2]):
        getattr(timeline, name)(*args)
    streamed = {second for began, lasted, _ in lives for second in range(began, began + lasted)}
    assert timeline.totals(at(60)).streaming_s == len(streamed)
    assert timeline.totals(at(60)).elapsed_s == 60


@pytest.mark.parametrize("cause", GapCause)
def test_every_cause_can_be_told(cause: GapCause) -> None:
    timeline = tracker()
    timeline.planned(cause, at(0))
    assert timeline.totals(at(3)).gaps_s == {cause: 3}


def test_since_when_it_collects_or_does_not_whatever_the_causes() -> None:
    timeline = GapTracker("track:0", at(0))
    timeline.planned(GapCause.START, at(5))
    assert timeline.since == at(5)
    timeline.cause_changed(GapCause.NO_KEY, at(7))
    assert timeline.since == at(5)
    timeline.streaming(1, at(10))
    assert timeline.since == at(10)
    timeline.streaming(2, at(20))
    timeline.stopped(1, GapCause.REFRESH, at(21))
    assert timeline.since == at(10)
    timeline.stopped(2, GapCause.CRASH, at(30))
    timeline.cause_changed(GapCause.BUDGET, at(33))
    assert timeline.since == at(30)
