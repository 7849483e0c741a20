"""Tell an app what X says to its workers (v2), and have done what only v2 asks for."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from traptor.common.logs.event import fields
from traptor.common.messages import Disconnected
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.handover import Way
from traptor.supervisor.gaps.interval import GapCause, instant
from traptor.supervisor.keys.conduct.failures import Failure, FailureKind
from traptor.supervisor.money.reads import reported_reads
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.xapi.cures import Cure, why
from traptor.supervisor.xapi.quota import quota_of

log = logging.getLogger(__name__)

_SLOT_AGAIN_S = 300.0

CAUSES: Mapping[Cure, GapCause] = {
    Cure.MONEY: GapCause.COST,
    Cure.CAP: GapCause.COST,
    Cure.SLOT: GapCause.SLOT_HELD,
    Cure.FILTERS: GapCause.RULES_REFUSED,
    Cure.BEARER: GapCause.KEY_REFUSED,
}


class AppNews:
    """Passes news on; under v1.1, where no connection has an app, it does nothing."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def connected(self, c: Connection, key_id: str, at: float) -> None:
        """Record that X opened the stream at `at` (monotonic seconds)."""
        app = self._context.app_of(c)
        if app is not None:
            app.connected()
            c.without_filters = 0
            self._context.slots.connected(key_id, instant(at).wall)

    def reported(self, c: Connection, g: Generation, seen: Sequence[str]) -> None:
        """Tell what a worker has read by its last report, and the filters that posts named."""
        app = self._context.app_of(c)
        if app is not None:
            app.read(g.name, reported_reads(g.counters))
            app.saw(seen)

    def ended(self, c: Connection, g: Generation) -> None:
        """Tell that a worker's process is gone."""
        app = self._context.app_of(c)
        if app is not None:
            app.ended(g.name)
        self._context.fills.ended(g)

    def announced(self, c: Connection, message: Disconnected, now: float) -> None:
        """Tell the pool what X announced of its limit on connects."""
        if c.app is None or not message.headers:
            return
        quota = quota_of(message.headers)
        reset_s = quota.reset_s(instant(now).wall)
        resets_at = None if reset_s is None else now + reset_s
        self._context.pool.records.told(c.app, quota.limit, quota.remaining, resets_at, now)

    def cure(self, c: Connection, g: Generation, cure: Cure, message: Disconnected, now: float) -> None:
        """Have looked after what X refused a connect or ended a stream for."""
        app, said = self._context.app_of(c), why(message)
        if app is None or c.app is None:
            return
        log.warning("X ended or refused a stream", extra=fields(connection=c.name, cure=cure, why=said))
        match cure:
            case Cure.MONEY:
                app.out_of_credit(said)
            case Cure.CAP:
                app.usage_capped(said)
            case Cure.SLOT:
                if c.may_be_covered:  # its key must not rest for that: the other connection may need it
                    c.slot_refused_until = now + _SLOT_AGAIN_S
                else:
                    self._context.pool.records.failed(c.app, now, Failure(FailureKind.SLOT_HELD, text=said))
                self._context.slots.taken(c.app)
            case Cure.FILTERS:
                c.without_filters += 1
                if c.without_filters > 1:  # it was looked at a moment ago
                    self._context.pool.records.failed(c.app, now, Failure(FailureKind.REFUSED, text=said))
                app.doubt()
            case Cure.BEARER:
                self._bearer_refused(c, c.app, g, said, now)
        if g is c.serving:
            c.gaps.cause_changed(CAUSES[cure], instant(now), message.problem)

    def _bearer_refused(self, c: Connection, key_id: str, g: Generation, said: str, now: float) -> None:
        """Have another token fetched, or the key quarantined whose token the operator gave."""
        pool, app = self._context.pool, self._context.app_of(c)
        is_given = bool(pool.ring[key_id].bearer_token)
        failure = Failure(FailureKind.UNAUTHORIZED if is_given else FailureKind.REFUSED, text=said)
        if not c.asked_with_former_key(g, pool.ring):
            if is_given and c.handover.way is Way.SERIAL and g is c.successor:
                c.handover.hold_back(key_id, failure)  # the old generation returns with the old token
                return
            pool.records.failed(key_id, now, failure)
        if g is c.serving:
            c.handover.drop_held_back()
        if app is not None and g.connect is not None:
            app.refused(g.connect.bearer_token, said)
