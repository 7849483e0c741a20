"""Apply that a stream opened, or did not, to its connection, its key, and the record of gaps."""

from __future__ import annotations

import logging

from traptor.common.logs.event import fields
from traptor.common.messages import Connected, Disconnected
from traptor.supervisor.connections.appnews import AppNews
from traptor.supervisor.connections.connection import Connection, RulesRefusal
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.endings import (
    RULES_REFUSED_STATUSES,
    OpeningResult,
    failure_of,
    opening_of,
)
from traptor.supervisor.connections.handover import Way
from traptor.supervisor.gaps.interval import GapCause, instant
from traptor.supervisor.keys.addresses import look_at_addresses
from traptor.supervisor.keys.conduct.failures import Failure, FailureKind
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.workers.states import GenerationState
from traptor.supervisor.xapi.cures import cure_of

log = logging.getLogger(__name__)

# Keep reading a replaced stream this long: the server may still have tweets queued for it that it does not
# send to the new one. Busy servers wrote such tweets 0.19 s and 0.63 s after their 200. Reading too long only
# costs duplicates; closing too early loses tweets for good.
_LINGER_S = 1.0

_CAUSE_OF_FAILURE = {
    FailureKind.NETWORK: GapCause.NETWORK,
    FailureKind.HTTP: GapCause.NETWORK,
    FailureKind.REFUSED: GapCause.RULES_REFUSED,
    FailureKind.RATE_LIMITED: GapCause.RATE_LIMITED,
    FailureKind.SLOT_HELD: GapCause.SLOT_HELD,
    FailureKind.UNAUTHORIZED: GapCause.KEY_REFUSED,
}


class Openings:
    """Decides what the answer to a connect means: a stream, a stream handed over, or a refusal, and whose."""

    def __init__(self, context: Context, news: AppNews) -> None:
        self._context = context
        self._news = news

    def opened(self, c: Connection, g: Generation, message: Connected, now: float) -> None:
        """Record that the server answered 200."""
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

    def refused(self, c: Connection, g: Generation, message: Disconnected, key_id: str, now: float) -> None:
        """Record that a connect brought no stream."""
        self._count_opening(g, opening_of(message))
        if not message.reached:
            self._context.pool.records.refund(key_id)
            look_at_addresses(self._context.pool.ring)  # the address may be missing on this host
        cure = cure_of(message) if c.app is not None else None
        if self._context.fills.refused(g, message):
            self._key_failed(c, g, Failure(FailureKind.REFUSED, text=message.detail), key_id, now)
        elif cure is not None:
            self._news.cure(c, g, cure, message, now)
        elif message.status in RULES_REFUSED_STATUSES:
            self._rules_refused(c, g, message.status, now)
        else:
            self._key_failed(c, g, failure_of(message), key_id, now)
        if g is c.successor:
            c.handover.fail(c.serving, self._context.serial_due(now))

    # ---- a stream opened

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

    # ---- it did not open

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
        pool, is_refusal = self._context.pool, failure.kind is FailureKind.UNAUTHORIZED
        if not (is_refusal and c.asked_with_former_key(g, pool.ring)):
            if is_refusal and c.handover.way is Way.SERIAL and g is c.successor:
                c.handover.hold_back(key_id, failure)
                return
            pool.records.failed(key_id, now, failure)
        if c.handover.way is Way.OVERLAP and g is c.successor and failure.kind is FailureKind.RATE_LIMITED:
            pool.records.overlap_refused(key_id)
        if g is c.serving:
            if is_refusal:
                c.handover.drop_held_back()  # its own secret is refused too
            c.gaps.cause_changed(_CAUSE_OF_FAILURE[failure.kind], instant(now))

    def _count_opening(self, g: Generation, outcome: OpeningResult) -> None:
        self._context.openings[g.key_name or "", outcome] += 1
