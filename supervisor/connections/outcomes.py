"""Apply a worker's messages, and its end, to its connection, its key, and the record of gaps.

Nothing is started or stopped here: the reconcile step that follows does that.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from traptor.common.errors import ProtocolError
from traptor.common.logs.event import fields
from traptor.common.messages import (
    Connected,
    Disconnected,
    DisconnectKind,
    Drained,
    FromWorker,
    MayConnect,
    OutboxFull,
    OutboxTrouble,
    PieceFetched,
    Ready,
    Report,
    Sample,
)
from traptor.supervisor.connections.appnews import AppNews
from traptor.supervisor.connections.closings import Closings, StreamEnd, cause_of_end
from traptor.supervisor.connections.connection import Connection, LastError
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.endings import error_of
from traptor.supervisor.connections.exits import Exits
from traptor.supervisor.connections.openings import Openings
from traptor.supervisor.gaps.interval import GapCause, instant
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.workers.states import GenerationState

log = logging.getLogger(__name__)


class Outcomes:
    """Handles the fleet's events, and calls `wake` for a connection that may need a step."""

    def __init__(
        self, context: Context, wake: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._context = context
        self._clock = clock
        self._wake = wake
        self._news = AppNews(context)
        self._openings = Openings(context, self._news)
        self._closings = Closings(context, self._news)
        self._exits = Exits(context, self._news)

    # ---- called by the fleet

    def on_message(self, g: Generation, message: FromWorker) -> None:
        """Handle a worker's message. Raises ProtocolError when its state does not allow it."""
        now = self._clock()
        match message:
            case Report():
                _note_delivery(self._connection(g), g, message)
                g.heard(message, now, self._context.run_clock.read(now))
                self._news.reported(self._connection(g), g, message.seen_filters)
                return
            case Sample():
                self._context.samples.take(g.birth.connection, message)
                return
            case PieceFetched():
                self._context.fills.fetched(g, message)
                return
            case Ready():
                _on_ready(g)
            case MayConnect():
                g.ask_to_connect()
            case OutboxFull():
                self._on_outbox_full(self._connection(g), g, message.trouble, now)
            case Connected():
                self._openings.opened(self._connection(g), g, message, now)
            case Disconnected():
                self._on_disconnected(self._connection(g), g, message, now)
            case Drained():
                if message.undelivered:
                    log.warning(
                        "worker left messages in its outbox",
                        extra=fields(
                            connection=g.birth.connection,
                            gen=g.birth.generation,
                            messages=message.undelivered,
                        ),
                    )
        self._wake(g.birth.connection)

    def on_fault(self, g: Generation, what: str) -> None:
        """Handle a violation of the protocol by a worker."""
        g.broke_protocol(what)
        self._wake(g.birth.connection)

    def on_gone(self, g: Generation, code: int | None) -> None:
        """Handle the end of a worker's process."""
        try:
            self._exits.exited(self._connection(g), g, code, self._clock())
        finally:
            self._wake(g.birth.connection)

    def _connection(self, g: Generation) -> Connection:
        return self._context.connections[g.birth.connection]

    def _on_disconnected(self, c: Connection, g: Generation, message: Disconnected, now: float) -> None:
        lease, began = g.lease, g.streaming_since
        cause = cause_of_end(c, g, message.kind, is_stopping=self._context.stopping)
        g.disconnected(message, now)
        if lease is None:
            raise ProtocolError("a disconnect without a connect")
        self._context.keys_changed = True
        if message.kind is not DisconnectKind.OWN_CLOSE:
            c.last_error = LastError(message.at, error_of(message))
        self._news.announced(c, message, now)
        if message.kind is DisconnectKind.NETWORK:
            c.network_error = message.detail
        if began is not None:
            streamed_s = max(0.0, message.last_byte_at - began)
            self._closings.closed(c, g, StreamEnd(message, lease.key_id, streamed_s, cause))
        elif message.kind is not DisconnectKind.OWN_CLOSE:
            self._openings.refused(c, g, message, lease.key_id, now)

    def _on_outbox_full(self, c: Connection, g: Generation, trouble: OutboxTrouble, now: float) -> None:
        if g.state is GenerationState.DRAINING:
            return  # it was told to end meanwhile
        g.outbox_full(trouble)
        if g is c.serving:
            c.gaps.cause_changed(GapCause.OUTBOX_FULL, instant(now))
        log.error("outbox full", extra=fields(connection=c.name, gen=g.birth.generation, why=trouble))


def _note_delivery(c: Connection, g: Generation, report: Report) -> None:
    """Keep when messages were last delivered, as far as the reports tell."""
    before, now = g.counters, report.counters
    if (now.delivered, now.redelivered) != (before.delivered, before.redelivered):
        c.delivered_at = report.at


def _on_ready(g: Generation) -> None:
    if g.state is GenerationState.DRAINING:
        return  # it was told to end meanwhile
    if g.state is not GenerationState.STARTING:
        raise ProtocolError(f"ready, in {g.state}")
    g.move(GenerationState.READY)
