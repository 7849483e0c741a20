"""Ask for recovery jobs: when one may be had, and for which posts."""

from __future__ import annotations

from traptor.common.fills import FillMethod
from traptor.common.messages import RecoverPiece
from traptor.supervisor.apps.app import App
from traptor.supervisor.connections.context import Context
from traptor.supervisor.fills.course import Asked, Pause
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.keys.pool import Purpose
from traptor.supervisor.workers.spec import connect_message

AT_ONCE = 2  # X, "Recovery and redundancy": two jobs at a time
APART_S = 2.0  # from a job's beginning or end to the next one's beginning
HALVED_S = 600.0  # a longer gap is fetched in two halves at once
MOST_POSTS = 20_000  # of one job: so many come again at most if somebody is killed


def at_once(method: FillMethod) -> int:
    """Return how many pieces X may be asked for at the same time."""
    return 1 if method is FillMethod.SEARCH else AT_ONCE


class RecoveryJobs:
    """Spends connects of the keys, which are those of the live streams: half of them are left."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def hindrance(self, app: App, now: Instant) -> Pause | None:
        """Return why no job can be had now, or None."""
        may = self._context.pool.may_connect(app.key.key_id, Purpose.FILL, now.mono)
        if may.allowed:
            return None
        until = None if may.not_before is None else now.wall + may.not_before - now.mono
        return Pause(may.reason, until)

    def piece(self, app: App, asked: Asked, times: tuple[str, str], now: Instant) -> RecoverPiece:
        """Return the order for a job, whose connect counts from now on."""
        self._context.pool.spend(app.key.key_id, now.mono)
        self._context.save_keys(now.mono)
        return RecoverPiece(
            number=asked.number,
            fill=asked.fill,
            connect=connect_message(app.key, app.token),
            start_time=times[0],
            end_time=times[1],
            most_posts=asked.posts,
        )
