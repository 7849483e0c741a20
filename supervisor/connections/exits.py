"""Apply the end of a worker's process to its connection, its key, and the record of gaps."""

from __future__ import annotations

import logging

from traptor.common.counts import added
from traptor.common.logs.event import fields
from traptor.common.messages import DisconnectKind
from traptor.supervisor.connections.appnews import AppNews
from traptor.supervisor.connections.connection import Connection, LastError
from traptor.supervisor.connections.context import Context
from traptor.supervisor.gaps.interval import GapCause, instant
from traptor.supervisor.gaps.start import lived_until
from traptor.supervisor.workers.generation import PUT_DOWN, Ending, Generation, words_of_end

log = logging.getLogger(__name__)


class Exits:
    """Decides what a worker's exit means: a crash or not, a lost stream or not, and whose place is free."""

    def __init__(self, context: Context, news: AppNews) -> None:
        self._context = context
        self._news = news

    def exited(self, c: Connection, g: Generation, code: int | None, now: float) -> None:
        """Record that a worker's process is gone."""
        g.exited(code)
        _log_end(g, code)
        try:
            if g.streaming_since is not None:
                self._stream_lost(c, g, now)
            self._news.ended(c, g)
        finally:  # whatever fails, its place is free for the next
            self._leave_place(c, g, now)

    def _stream_lost(self, c: Connection, g: Generation, now: float) -> None:
        """Record the loss of an open stream: what was read after the last report may not be delivered."""
        if g.lease is not None:
            streamed_s = now - (g.streaming_since or now)
            self._context.pool.records.stream_ended(g.lease.key_id, now, streamed_s, DisconnectKind.OWN_CLOSE)
        at = instant(min(now, lived_until(g.safe_until_by_mark(), g.last_byte_at)))
        c.gaps.stopped(g.birth.generation, _crash_cause(g), at)
        g.stream_lost()

    def _leave_place(self, c: Connection, g: Generation, now: float) -> None:
        is_crash = g.ending is not Ending.DRAINED
        g.stream_lost()
        c.past = added(c.past, g.counters)
        if g in c.leaving:
            c.leaving.remove(g)
        elif g is c.serving:
            c.serving = None
            c.handover.lose_old()
            if is_crash:
                how = words_of_end(g.ending, g.exit_code)
                c.last_crash = f" ({how})" if how else ""
                c.last_error = LastError(now, f"its worker ended: {how or Ending.CRASH}")
                c.restarts[g.ending or Ending.CRASH] += 1
                c.crashes.crashed(now, now - g.born_at)
                c.gaps.cause_changed(_crash_cause(g), instant(now))
        elif g is c.successor:
            c.handover.lose_successor(c.serving, self._context.serial_due(now))
            if is_crash:
                c.refresh_crashes.crashed(now, now - g.born_at)


def _crash_cause(g: Generation) -> GapCause:
    return GapCause.HUNG if g.ending in PUT_DOWN else GapCause.CRASH


def _log_end(g: Generation, code: int | None) -> None:
    told = g.ending is Ending.DRAINED
    log.log(
        logging.INFO if told else logging.WARNING,
        "worker ended",
        extra=fields(
            connection=g.birth.connection, gen=g.birth.generation, pid=g.pid, why=g.ending, exit_code=code
        ),
    )
