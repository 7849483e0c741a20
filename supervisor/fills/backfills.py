"""Have gaps of a few minutes filled by the streams that end them (`backfill_minutes`).

The permission for a connect names the minutes. The worker tells when the posts of the past are over; until
then their gaps are not filled, and where the stream ends before that, a recovery job or the next connect
brings them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from traptor.common.fills import FillMethod
from traptor.common.logs.event import fields
from traptor.common.messages import Disconnected
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.fills.pieces.window import backfill_minutes, is_covered
from traptor.supervisor.gaps.fill import Fill, FillState, is_filled
from traptor.supervisor.gaps.interval import Instant, IntervalKind, instant
from traptor.supervisor.ledger.fills import FillBook
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.workers.leftovers import is_second

log = logging.getLogger(__name__)

_REFUSALS = frozenset({400, 403})  # of an app without the contract; which of them X gives is not documented


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A backfill that a stream brings: which generation's, since when, and of which fills."""

    generation: int
    streaming_since: float
    fills: tuple[int, ...]

    def is_of(self, g: Generation) -> bool:
        """Tell whether it is the stream that the generation has now."""
        return (g.birth.generation, g.streaming_since) == (self.generation, self.streaming_since)


class Backfills:
    """Owns the backfills under way, by connection; `record` keeps what becomes of a fill."""

    def __init__(
        self,
        context: Context,
        book: FillBook,
        record: Callable[[Fill], None],
        clock: Callable[[], Instant],
    ) -> None:
        self._context = context
        self._book = book
        self._record = record
        self._clock = clock
        self._under_way: dict[str, _UnderWay] = {}
        self._refused: set[str] = set()  # connections whose app gets none

    def minutes(self, c: Connection, now: float) -> int:
        """Return how many minutes the stream that is permitted now has to bring."""
        wanted = self._context.settings.twitter.fill_gaps == FillMethod.RECOVERY
        if c.app is None or not wanted or c.name in self._refused or c.gaps.kind is not IntervalKind.GAP:
            return 0
        if is_second(c.name):  # the gaps are the first one's; what this one ends is left to a recovery job
            return 0
        wall, standing = instant(now).wall, c.gaps.standing
        gap = [c.gaps.since.wall] if is_filled(standing.cause, standing.generation) else []
        gap += [one.from_unix for one in self._book.open(c.name)]
        # The earliest that a backfill still reaches: what is older is left to a recovery job.
        return next((found for one in sorted(gap) if (found := backfill_minutes(one, wall))), 0)

    def refused(self, g: Generation, message: Disconnected) -> bool:
        """Tell whether X refused a connect for the minutes that it asked for; then it asks for none again."""
        if g.connect is None or not g.connect.backfill_minutes or message.status not in _REFUSALS:
            return False
        self._refused.add(g.birth.connection)
        log.error(
            "X gives no backfill to an app",
            extra=fields(connection=g.birth.connection, status=message.status, why=message.detail or None),
        )
        return True

    def connected(self, g: Generation, at: float) -> None:
        """Have the gaps that this stream brings wait for it."""
        minutes = g.connect.backfill_minutes if g.connect is not None else 0
        opened = instant(at).wall
        covered = [one for one in self._book.open(g.birth.connection) if _may_cover(one, minutes, opened)]
        if not covered:
            return
        for fill in covered:
            begun = replace(fill, method=FillMethod.BACKFILL, token="").begun(1, opened)
            self._record(begun)
        self._under_way[g.birth.connection] = _UnderWay(
            g.birth.generation, at, tuple(one.id for one in covered)
        )
        log.info(
            "a stream brings a gap's posts",
            extra=fields(connection=g.birth.connection, minutes=minutes, gaps=len(covered)),
        )

    def brings(self, fill: Fill, g: Generation | None) -> bool:
        """Tell whether a stream that is open brings this gap; else it is left to a recovery job."""
        if fill.method is not FillMethod.BACKFILL:
            return False
        one = self._under_way.get(fill.connection)
        if one is not None and g is not None and one.is_of(g) and fill.id in one.fills:
            return True
        self._record(
            replace(fill, method=FillMethod.RECOVERY, state=FillState.WAITING, at=self._clock().wall)
        )
        return False

    def over(self, g: Generation) -> list[Fill]:
        """Return the gaps whose posts are all in the outbox, as the worker says."""
        one = self._under_way.pop(g.birth.connection, None)
        if one is None or one.generation != g.birth.generation:
            return []
        return [fill for fill in self._book.open(g.birth.connection) if fill.id in one.fills]


def _may_cover(fill: Fill, minutes: int, opened_unix: float) -> bool:
    return minutes > 0 and fill.method is not FillMethod.SEARCH and is_covered(fill, minutes, opened_unix)
