"""Apply a worker's messages, and its end, to its connection, its key, and the record of gaps.

Nothing is started or stopped here: the reconcile step that follows does that.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from traptor.common.counts import added
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
from traptor.supervisor.connections.appnews import CAUSES, AppNews
from traptor.supervisor.connections.connection import Connection, LastError, RulesRefusal
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.endings import (
    RULES_REFUSED_STATUSES,
    OpeningResult,
    error_of,
    failure_of,
    opening_of,
)
from traptor.supervisor.connections.handover import Way
from traptor.supervisor.gaps.interval import GapCause, instant
from traptor.supervisor.gaps.start import lived_until, safe_until, until_successor
from traptor.supervisor.keys.addresses import look_at_addresses
from traptor.supervisor.keys.conduct.failures import Failure, FailureKind
from traptor.supervisor.workers.generation import PUT_DOWN, Ending, Generation, words_of_end
from traptor.supervisor.workers.states import GenerationState
from traptor.supervisor.xapi.cures import cure_of

log = logging.getLogger(__name__)

# Keep reading a replaced stream this long: the server may still have tweets queued for it that it does not
# send to the new one. Busy servers wrote such tweets 0.19 s and 0.63 s after their 200. Reading too long only
# costs duplicates; closing too early loses tweets for good.
_LINGER_S = 1.0

_CAUSE_OF_KIND = {
    DisconnectKind.SERVER_CLOSE: GapCause.SERVER_CLOSE,
    DisconnectKind.NETWORK: GapCause.NETWORK,
    DisconnectKind.STALL: GapCause.STALL,
    DisconnectKind.HTTP: GapCause.NETWORK,
    DisconnectKind.WORKER: GapCause.CRASH,
    DisconnectKind.OUTBOX_FULL: GapCause.OUTBOX_FULL,
}
_CAUSE_OF_FAILURE = {
    FailureKind.NETWORK: GapCause.NETWORK,
    FailureKind.HTTP: GapCause.NETWORK,
    FailureKind.RATE_LIMITED: GapCause.RATE_LIMITED,
    FailureKind.SLOT_HELD: GapCause.SLOT_HELD,
    FailureKind.UNAUTHORIZED: GapCause.KEY_REFUSED,
}


class Outcomes:
    """Handles the fleet's events, and calls `wake` for a connection that may need a step."""

    def __init__(
        self, context: Context, wake: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._context = context
        self._clock = clock
        self._wake = wake
        self._news = AppNews(context)

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
                self._on_connected(self._connection(g), g, message, now)
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
        now = self._clock()
        g.exited(code)
        c = self._connection(g)
        _log_end(g, code)
        try:
            if g.streaming_since is not None:
                self._stream_lost(c, g, now)
            self._news.ended(c, g)
        finally:  # whatever fails, its place is free for the next
            self._leave_place(c, g, now)
            self._wake(g.birth.connection)

    def _connection(self, g: Generation) -> Connection:
        return self._context.connections[g.birth.connection]

    def _count_opening(self, g: Generation, outcome: OpeningResult) -> None:
        self._context.openings[g.key_name or "", outcome] += 1

    # ---- a stream opened

    def _on_connected(self, c: Connection, g: Generation, message: Connected, now: float) -> None:
        if g.state is GenerationState.DRAINING:
            return  # it was told to end while the response was on its way
        g.connected(message.at, now)
        assert g.lease is not None
        self._count_opening(g, OpeningResult.STREAM)
        self._context.pool.records.connected(g.lease.key_id, message.at)
        self._news.connected(c, g.lease.key_id, message.at)
        c.gaps.streaming(g.birth.generation, instant(message.at))
        self._context.fills.connected(g, message.at)
        if c.refusal is not None and c.refusal.rules == g.spec.rules:
            c.refusal = None
        log.info(
            "stream connected",
            extra=fields(connection=c.name, gen=g.birth.generation, key=g.connect and g.connect.key_name),
        )
        if g is c.successor:
            self._hand_over(c, g, message.at)
        elif g is c.serving:
            c.handover.end_return()
            self._settle_held_back(c, g, message.at)

    def _hand_over(self, c: Connection, new: Generation, now: float) -> None:
        old, way = c.serving, c.handover.way
        c.handover.succeed(now)
        c.serving, c.lease = new, new.lease
        c.refresh_crashes.reset()
        if old is not None:
            c.leaving.append(old)
            # In an overlap the old one reads on until the server closes its stream; otherwise we close it
            # soon.
            overlaps = way is Way.OVERLAP and old.streams
            overlap_s = self._context.settings.supervisor.overlap_timeout
            old.replaced(now + (overlap_s if overlaps else _LINGER_S), overlaps=overlaps)
        if way is Way.OVERLAP and new.lease is not None:
            self._context.pool.records.overlap_worked(new.lease.key_id)
        log.info(
            "refreshed",
            extra=fields(connection=c.name, gen=new.birth.generation, pid=new.pid, way=way or "move"),
        )

    def _settle_held_back(self, c: Connection, g: Generation, now: float) -> None:
        """Tell the pool that the new secret was refused, now that the old one streams again."""
        held_back = c.handover.held_back
        if held_back is not None and g.lease is not None and g.lease.key_id == held_back[0]:
            self._context.pool.records.failed(g.lease.key_id, now, held_back[1])
            self._context.keys_changed = True
        c.handover.drop_held_back()

    # ---- a stream ended, or did not open

    def _on_disconnected(self, c: Connection, g: Generation, message: Disconnected, now: float) -> None:
        lease, began, cause = g.lease, g.streaming_since, self._cause(c, g, message)
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
            self._on_stream_end(c, g, message, lease.key_id, cause, message.last_byte_at - began)
        elif message.kind is not DisconnectKind.OWN_CLOSE:
            self._on_refusal(c, g, message, lease.key_id, now)

    def _on_stream_end(
        self,
        c: Connection,
        g: Generation,
        message: Disconnected,
        key_id: str,
        cause: GapCause,
        streamed_s: float,
    ) -> None:
        is_overlapped = c.handover.way is Way.OVERLAP and g is c.serving and _is_connecting(c.successor)
        is_ours = is_overlapped or g in c.leaving or g.state is GenerationState.DRAINING
        kind = DisconnectKind.OWN_CLOSE if is_ours else message.kind
        self._context.pool.records.stream_ended(key_id, message.at, max(0.0, streamed_s), kind)
        cure = cure_of(message) if c.app is not None and not is_ours else None
        if cure is not None:
            cause = CAUSES[cure]
            self._news.cure(c, g, cure, message, message.at)
        ended_at = safe_until(message)
        if not c.is_planned and message.kind is DisconnectKind.OWN_CLOSE:
            ended_at = message.at  # we closed it because the connection is not wanted any more: no gap
        if is_overlapped:
            c.handover.overlap_closed(g, message)
            return
        if g in c.leaving and c.streaming_since is not None:
            ended_at = until_successor(message, c.streaming_since, in_overlap=g.overlaps)
        c.gaps.stopped(g.birth.generation, cause, instant(ended_at), message.problem)

    def _on_outbox_full(self, c: Connection, g: Generation, trouble: OutboxTrouble, now: float) -> None:
        if g.state is GenerationState.DRAINING:
            return  # it was told to end meanwhile
        g.outbox_full(trouble)
        if g is c.serving:
            c.gaps.cause_changed(GapCause.OUTBOX_FULL, instant(now))
        log.error("outbox full", extra=fields(connection=c.name, gen=g.birth.generation, why=trouble))

    def _cause(self, c: Connection, g: Generation, message: Disconnected) -> GapCause:
        if self._context.stopping:
            return GapCause.SHUTDOWN
        if c.is_stopped and message.kind is DisconnectKind.OWN_CLOSE:
            return GapCause.OPERATOR_STOP
        if g.closing is not None:
            return g.closing
        if g in c.leaving and message.kind is DisconnectKind.OWN_CLOSE:
            return GapCause.REFRESH
        if message.kind is not DisconnectKind.OWN_CLOSE:
            return _CAUSE_OF_KIND[message.kind]
        if g.ending in PUT_DOWN:
            return GapCause.HUNG
        # Drained because it lost its key; or a TERM from elsewhere.
        return GapCause.NO_KEY if c.lease is None else GapCause.CRASH

    def _on_refusal(
        self, c: Connection, g: Generation, message: Disconnected, key_id: str, now: float
    ) -> None:
        self._count_opening(g, opening_of(message))
        if not message.reached:
            self._context.pool.records.refund(key_id)
            look_at_addresses(self._context.pool.ring)  # the address may be missing on this host
        cure = cure_of(message) if c.app is not None else None
        if self._context.fills.refused(g, message):
            self._key_failed(c, g, Failure(FailureKind.HTTP, text=message.detail), key_id, now)
        elif cure is not None:
            self._news.cure(c, g, cure, message, now)
        elif message.status in RULES_REFUSED_STATUSES:
            self._rules_refused(c, g, message.status, now)
        else:
            self._key_failed(c, g, failure_of(message), key_id, now)
        if g is c.successor:
            c.handover.fail(c.serving, self._serial_due(now))

    def _rules_refused(self, c: Connection, g: Generation, status: int, now: float) -> None:
        until = now + self._context.settings.twitter.refused_retry
        c.refusal = RulesRefusal(g.spec.rules, status, until)
        if g is c.serving:
            c.forget_key()  # another connection can use it
            c.handover.end_return()
            c.gaps.cause_changed(GapCause.RULES_REFUSED, instant(now))
        stays = g is c.successor
        log.log(
            logging.WARNING if stays else logging.ERROR,
            "the server refuses the rules",
            extra=fields(connection=c.name, status=status, rules=len(g.birth.rules), stays=stays),
        )

    def _key_failed(self, c: Connection, g: Generation, failure: Failure, key_id: str, now: float) -> None:
        pool = self._context.pool
        if failure.kind is FailureKind.UNAUTHORIZED and c.handover.way is Way.SERIAL and g is c.successor:
            c.handover.hold_back(key_id, failure)
            return
        pool.records.failed(key_id, now, failure)
        if c.handover.way is Way.OVERLAP and g is c.successor and failure.kind is FailureKind.RATE_LIMITED:
            pool.records.overlap_refused(key_id)
        if g is c.serving:
            if failure.kind is FailureKind.UNAUTHORIZED:
                c.handover.drop_held_back()  # its own secret is refused too
            c.gaps.cause_changed(_CAUSE_OF_FAILURE[failure.kind], instant(now))

    def _serial_due(self, now: float) -> float:
        """Return when `serial` may be tried again after a failure now."""
        return now + self._context.settings.supervisor.refresh_min_interval

    # ---- a process ended

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
            c.handover.lose_successor(c.serving, self._serial_due(now))
            if is_crash:
                c.refresh_crashes.crashed(now, now - g.born_at)


def _note_delivery(c: Connection, g: Generation, report: Report) -> None:
    """Keep when messages were last delivered, as far as the reports tell."""
    before, now = g.counters, report.counters
    if (now.delivered, now.redelivered) != (before.delivered, before.redelivered):
        c.delivered_at = report.at


def _is_connecting(g: Generation | None) -> bool:
    return g is not None and g.state is GenerationState.CONNECTING


def _on_ready(g: Generation) -> None:
    if g.state is GenerationState.DRAINING:
        return  # it was told to end meanwhile
    if g.state is not GenerationState.STARTING:
        raise ProtocolError(f"ready, in {g.state}")
    g.move(GenerationState.READY)


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
