"""Ask for recovery jobs: two at a time, of two gaps or of the halves of a long one."""

from __future__ import annotations

import logging
from collections.abc import Callable

from traptor.common.fills import FillMethod
from traptor.common.messages import RecoverPiece
from traptor.supervisor.apps.app import App
from traptor.supervisor.connections.context import Context
from traptor.supervisor.fills.due import DueFill
from traptor.supervisor.fills.pieces.course import Pause
from traptor.supervisor.fills.pieces.window import recovery_window
from traptor.supervisor.fills.purse import Purse
from traptor.supervisor.fills.record import FillRecord, about
from traptor.supervisor.gaps.fill import Fill, FillState
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.keys.conduct.budget import Purpose
from traptor.supervisor.slots.journal import NEAR_S
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.workers.spec import connect_message

log = logging.getLogger(__name__)

AT_ONCE = 2  # X, "Recovery and redundancy": two jobs at a time
APART_S = 2.0  # from a job's beginning or end to the next one's beginning
HALVED_S = 600.0  # a longer gap is fetched in two halves at once
MOST_POSTS = 20_000  # of one job: so many come again at most if somebody is killed
_LOOK_S = 5.0
_TOO_OLD = "it is older than the 24 hours that X recovers"


def _too_soon_s(g: Generation, now: Instant) -> float:
    """Return for how long a job could not be told from the stream that just opened, by its time at X."""
    opened = now.mono if g.streaming_since is None else g.streaming_since
    return opened + NEAR_S + 1.0 - now.mono


def at_once(method: FillMethod) -> int:
    """Return how many pieces X may be asked for at the same time."""
    return 1 if method is FillMethod.SEARCH else AT_ONCE


class RecoveryJobs:
    """Spends connects of the keys, which are those of the live streams: half of them are left."""

    def __init__(
        self, context: Context, record: FillRecord, purse: Purse, clock: Callable[[], Instant]
    ) -> None:
        self._context = context
        self._record = record
        self._purse = purse
        self._clock = clock

    def ask(self, due: DueFill) -> float:
        """Ask for a job where that may be; return in how many seconds to look for another one."""
        now, fill = self._clock(), due.fill
        times = recovery_window(fill, now.wall)
        if times is None:
            self._record.put(fill.given_up(_TOO_OLD, now.wall))
            return 0.0
        if (hindrance := self._hindrance(due.app, now)) is not None:
            due.course.pause = hindrance
            return _LOOK_S
        if (too_soon_s := _too_soon_s(due.g, now)) > 0:
            return too_soon_s
        if self._is_to_be_halved(fill):
            self._record.halve(fill)
            return 0.0
        posts = self._purse.allot(due, MOST_POSTS, among=self._that_may_begin(due))
        if not posts:
            return _LOOK_S
        self._begin(due, times, posts, now)
        return APART_S

    def _begin(self, due: DueFill, times: tuple[str, str], posts: int, now: Instant) -> None:
        app, fill = due.app, due.fill
        if fill.state is FillState.WAITING:
            log.info("a gap is being filled", extra=about(fill, **self._purse.price(app, fill)))
            self._record.put(fill.begun(1, now.wall))
        asked = due.course.ask(fill.id, due.worker, posts, now.mono)
        due.course.rest(APART_S, now.mono)
        self._context.slots.connecting(app.key.key_id)
        self._context.pool.records.spend(app.key.key_id, now.mono)
        self._context.save_keys(now.mono)
        piece = RecoverPiece(
            number=asked.number,
            fill=fill.id,
            connect=connect_message(app.key, app.token),
            start_time=times[0],
            end_time=times[1],
            most_posts=posts,
        )
        self._context.fleet.fetch(due.g, piece)

    def _hindrance(self, app: App, now: Instant) -> Pause | None:
        """Return why no job can be had now, or None."""
        may = self._context.pool.may_connect(app.key.key_id, Purpose.FILL, now.mono)
        if may.allowed:
            return None
        until = None if may.not_before is None else now.wall + may.not_before - now.mono
        return Pause(may.reason, until)

    def _is_to_be_halved(self, fill: Fill) -> bool:
        """Tell whether it is long and the only one, so that two halves have two jobs at work."""
        is_alone = len(self._record.book.open(fill.connection)) == 1
        return is_alone and fill.state is FillState.WAITING and fill.seconds > HALVED_S

    def _that_may_begin(self, due: DueFill) -> int:
        """Return among how many jobs what the caps leave is shared."""
        under_way = len(due.course.under_way)
        waiting = len(self._record.book.open(due.fill.connection)) - under_way
        return max(1, min(waiting, AT_ONCE - under_way))
