"""Continue the ledger over a time in which no master ran. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from traptor.common.files.mark import Mark
from traptor.supervisor.gaps.interval import GapCause, Instant, IntervalKind, TimelineState, Totals
from traptor.supervisor.gaps.timeline import GapTracker, Take
from traptor.supervisor.ledger.records import Inheritance, LastKnown


@dataclass(frozen=True, slots=True)
class Shift:
    """Converts the monotonic times of a predecessor to this boot's clock.

    Within one boot CLOCK_MONOTONIC continues over a restart of the master. Over a reboot the wall clock tells
    how long nothing ran, provided it is plausible.
    """

    seconds: float

    @classmethod
    def of(cls, stored: Inheritance, boot: str, now: Instant) -> Shift:
        """Return the shift from the clock of `stored` to that of `now`."""
        if stored.boot == boot and stored.noted.mono <= now.mono:
            return cls(0.0)
        down_s = max(0.0, now.wall - stored.noted.wall)
        return cls(now.mono - down_s - stored.noted.mono)

    def __call__(self, at: Instant) -> Instant:
        """Return the same moment on this boot's clock."""
        return Instant(at.wall, at.mono + self.seconds)


@dataclass(frozen=True, slots=True)
class Streamed:
    """Content of a generation's mark: when its last stream was opened, and until when its data is safe.

    `connection` is "" for the one whose timeline it is, else one that shares it.
    """

    generation: int
    since: Instant
    until: Instant
    connection: str = ""

    @classmethod
    def of(cls, generation: int, mark: Mark, shift: Shift, connection: str = "") -> Streamed:
        """Return the content of a mark, on this boot's clock."""
        since, until = Instant(mark.since_wall, mark.since), Instant(mark.safe_until_wall, mark.safe_until)
        return cls(generation, shift(since), shift(until), connection)


def moved(account: LastKnown, shift: Shift) -> LastKnown:
    """Return the account with this boot's times."""
    standing = replace(account.standing, open_from=shift(account.standing.open_from))
    return replace(
        account, began=shift(account.began), standing=standing, safe_until=shift(account.safe_until)
    )


def resume(
    account: LastKnown,
    totals: Totals,
    marks: Sequence[Streamed],
    *,
    is_clean: bool,
    now: Instant,
    take: Take,
    on_handover: Callable[[], object],
) -> GapTracker:
    """Return a connection's timeline continued at `now`; all times are on this boot's clock.

    After a clean stop, the open interval stays open. Otherwise a planned connection is in a gap,
    `master_down`, since the last moment for which its stream is known to be safe, or the ledger was written.
    If a mark shows a stream that the ledger does not know, it streamed until then.
    """
    tracker = GapTracker.resumed(account.connection, account.standing, totals, take, on_handover)
    if is_clean and tracker.kind is not IntervalKind.STREAMING:
        return tracker
    standing, stopped_at = account.standing, account.safe_until
    unknown = [mark for mark in marks if _is_unknown(standing, mark)]
    for mark in unknown:
        tracker.streaming(mark.generation, mark.since, mark.connection)
    if standing.kind is IntervalKind.STREAMING:
        assert standing.generation is not None
        own = [mark.until for mark in marks if mark.generation == standing.generation and not mark.connection]
        stopped_at = _latest([stopped_at, *own], now)
        tracker.stopped(standing.generation, GapCause.MASTER_DOWN, stopped_at)
    for mark in unknown:
        tracker.stopped(mark.generation, GapCause.MASTER_DOWN, _latest([mark.until], now), of=mark.connection)
    tracker.cause_changed(GapCause.MASTER_DOWN, _latest([stopped_at], now))
    return tracker


def _is_unknown(standing: TimelineState, mark: Streamed) -> bool:
    """Tell whether the ledger lacks the stream that a mark shows."""
    if standing.kind is IntervalKind.STREAMING:  # by its last generation; a later one took over from it
        is_later = standing.generation is not None and mark.generation > standing.generation
        return is_later or bool(mark.connection)
    return mark.since.mono > standing.open_from.mono


def _latest(moments: Sequence[Instant], now: Instant) -> Instant:
    """Return the latest of these moments that is not in the future."""
    last = max(moments, key=lambda at: at.mono)
    return last if last.mono < now.mono else now
