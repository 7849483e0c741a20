"""Keep when one connection streamed and when not: a timeline without holes and overlaps, in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from traptor.supervisor.gaps.interval import GapCause, Instant, Interval, IntervalKind, TimelineState, Totals

Take = Callable[[Interval], object]


class GapTracker:
    """Keeps the timeline of one connection, unplanned at first.

    `take` is called with each interval that an event completes, in order; together they cover the time
    without a hole. `on_handover` is called when a stream has ended and another one continues: that completes
    nothing, but a next master has to know. An event may lie in the past (a crash is dated to the last
    report), but not before what is already completed: then it counts from there. A connection streams while
    any of its generations does.
    """

    def __init__(
        self,
        connection: str,
        at: Instant,
        take: Take = lambda _interval: None,
        on_handover: Callable[[], object] = lambda: None,
    ) -> None:
        self.connection = connection
        self._take = take
        self._on_handover = on_handover
        self._completed = Totals()
        self._open_from = at
        self._is_planned = False
        self._left_plan_at = at
        self._quiet_from = at
        self._cause = GapCause.START  # of the open gap, if there is one
        self._why = ""  # as X named it: a problem, a type of disconnect
        # generations that stream, with their start; "": of this connection, else of one that shares it
        self._streams: dict[tuple[str, int], Instant] = {}
        self._ended: list[tuple[Instant, Instant]] = []  # earlier streams of the open streaming interval
        self._solid_to = at  # up to here the open streaming interval cannot change any more
        self._generation: int | None = None  # the last that began to stream

    @classmethod
    def resumed(
        cls,
        connection: str,
        standing: TimelineState,
        totals: Totals,
        take: Take,
        on_handover: Callable[[], object],
    ) -> Self:
        """Return a timeline that continues where another one stood, with its sums of completed intervals."""
        tracker = cls(connection, standing.open_from, take, on_handover)
        tracker._completed = totals
        tracker._is_planned, tracker._cause = standing.is_planned, standing.cause
        tracker._generation = standing.generation
        tracker._quiet_from = standing.open_from
        if standing.kind is IntervalKind.STREAMING:
            assert standing.generation is not None
            tracker._streams["", standing.generation] = standing.open_from
        return tracker

    # ---- events

    def planned(self, cause: GapCause, at: Instant) -> None:
        """Record that the connection is wanted from now on; until it streams there is a gap."""
        if self._is_planned:
            return
        if not self._streams:
            self._complete(at)
            self._quiet_from = _later(at, self._open_from)
        self._is_planned, self._cause, self._why = True, cause, ""

    def unplanned(self, at: Instant) -> None:
        """Record that the connection is no longer wanted; a stream that is still open keeps counting."""
        if not self._is_planned:
            return
        self._left_plan_at = _later(at, self._open_from)
        if not self._streams:
            self._complete(at)
        self._is_planned = False

    def cause_changed(self, cause: GapCause, at: Instant, why: str = "") -> None:
        """Split the open gap: it continues for another cause. Without an open gap nothing happens."""
        if self.kind is IntervalKind.GAP and cause is not self._cause:
            self._complete(at)
            self._cause, self._why = cause, why

    def streaming(self, generation: int, at: Instant, of: str = "") -> None:
        """Record that a generation got its 200; `of` names a connection that shares this timeline."""
        if (of, generation) in self._streams:
            return
        if not self._streams:
            self._complete(at)
            self._ended, self._solid_to = [], self._open_from
        self._streams[of, generation] = _later(at, self._open_from)
        self._generation = generation

    def stopped(self, generation: int, cause: GapCause, at: Instant, why: str = "", of: str = "") -> None:
        """Record that a generation's stream ended at `at`; `why` is the reason that X named, if any.

        If that lies in the past, it may reveal a gap before the streams that are open now began.
        """
        began = self._streams.pop((of, generation), None)
        if began is None:
            return
        self._ended.append((began, _later(at, began)))
        self._why = why
        covered_to = self._cut_holes(cause, generation)
        if self._streams:
            self._solid_to = covered_to
            self._ended = [span for span in self._ended if span[1].mono > covered_to.mono]
            self._on_handover()
        else:
            self._end_streaming(cause, covered_to)

    def shut_down(self, at: Instant) -> None:
        """Record that the master ends: a wanted connection is in a gap from here on, for that cause.

        A stream that is still open is left so: only the next master can date its end.
        """
        if self.kind is IntervalKind.GAP:
            self._complete(at)
            self._cause, self._why = GapCause.SHUTDOWN, ""

    # ---- state

    @property
    def kind(self) -> IntervalKind:
        """The present kind of interval."""
        if self._streams:
            return IntervalKind.STREAMING
        return IntervalKind.GAP if self._is_planned else IntervalKind.UNPLANNED

    @property
    def is_planned(self) -> bool:
        """True while the connection is wanted."""
        return self._is_planned

    @property
    def standing(self) -> TimelineState:
        """The position from which a next master continues."""
        return TimelineState(self.kind, self._cause, self._is_planned, self._open_from, self._generation)

    @property
    def since(self) -> Instant:
        """Since when it streams, or, whatever the causes, since when it does not although it is wanted."""
        return self._open_from if self._streams else self._quiet_from

    def open(self, now: Instant) -> Interval:
        """Return the interval that is not completed, up to now."""
        return self._interval(self.kind, self._cause, _later(now, self._open_from))

    def totals(self, now: Instant) -> Totals:
        """Return the seconds by kind and cause since the beginning; together they are the time elapsed."""
        done = self._completed
        totals = Totals(done.streaming_s, done.unplanned_s, dict(done.gaps_s))
        totals.add(self.open(now))
        return totals

    def streamed_s(self, now: float) -> float:
        """Return the seconds of streaming since the beginning, as `totals` does; `now` is monotonic."""
        open_s = max(0.0, now - self._open_from.mono) if self._streams else 0.0
        return self._completed.streaming_s + open_s

    # ---- steps

    def _cut_holes(self, cause: GapCause, generation: int) -> Instant:
        """Complete the gaps between streams, and return up to when the rest is certainly covered."""
        first_open = min(self._streams.values(), key=_mono, default=None)
        spans = [span for span in self._ended if first_open is None or span[0].mono < first_open.mono]
        if first_open is not None:
            spans.append((first_open, first_open))
        covered_to = self._solid_to
        for began, ended in sorted(spans, key=lambda span: span[0].mono):
            if began.mono > covered_to.mono:
                self._complete_as(IntervalKind.STREAMING, None, covered_to, generation)
                self._complete_as(IntervalKind.GAP, cause, began, generation)
            covered_to = _later(ended, covered_to)
        return covered_to if first_open is None else first_open

    def _end_streaming(self, cause: GapCause, at: Instant) -> None:
        self._complete_as(IntervalKind.STREAMING, None, at)
        self._cause, self._quiet_from = cause, self._open_from
        if not self._is_planned:
            # It may have crashed before it was unplanned: up to then it was wanted.
            self._complete_as(IntervalKind.GAP, cause, self._left_plan_at)

    def _complete(self, at: Instant) -> None:
        self._complete_as(self.kind, self._cause, at)

    def _complete_as(
        self, kind: IntervalKind, cause: GapCause | None, to: Instant, generation: int | None = None
    ) -> None:
        if to.mono <= self._open_from.mono:
            return
        interval = self._interval(kind, cause, to, generation)
        self._open_from = to
        self._completed.add(interval)
        self._take(interval)

    def _interval(
        self, kind: IntervalKind, cause: GapCause | None, to: Instant, generation: int | None = None
    ) -> Interval:
        is_gap = kind is IntervalKind.GAP
        gap_cause, why = (cause, self._why) if is_gap else (None, "")
        last = generation or self._generation
        return Interval(self.connection, kind, gap_cause, self._open_from, to, last, why)


def _mono(at: Instant) -> float:
    return at.mono


def _later(one: Instant, other: Instant) -> Instant:
    return one if one.mono > other.mono else other
