"""Replace a generation whose spec is not the wanted one, without losing its stream.

The new generation (the successor) is forked and made ready while the old one streams. Only then may it
connect, in the first way that is allowed and possible. If it fails before it streams, the old one stays.
"""

from __future__ import annotations

import logging

from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.handover import Possible, Way, choose_way
from traptor.supervisor.connections.steps.gate import Gate
from traptor.supervisor.connections.waits import PASSING, Wait, WaitKind
from traptor.supervisor.gaps.interval import GapCause
from traptor.supervisor.keys.conduct.budget import Purpose
from traptor.supervisor.keys.conduct.states import ConnectVerdict
from traptor.supervisor.keys.leases import Lease
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.workers.spec import Spec, key_spec
from traptor.supervisor.workers.states import GenerationState

log = logging.getLogger(__name__)

_CANNOT_BE_REFRESHED = (GenerationState.DRAINING, GenerationState.GONE)


class Refresh:
    """The part of a reconcile step that concerns a connection's successor."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._context = context
        self._gate = gate

    def step(self, c: Connection, now: float) -> None:
        """Start, drop, or connect the successor, as is due; `c.serving` lives and `c.lease` is set."""
        if c.serving is None or c.serving.state in _CANNOT_BE_REFRESHED:
            return
        self._drop_stale_successor(c, now)
        if c.successor is None and self._differs(c, c.serving):
            self._start_when_due(c, now)
        if c.successor is not None and c.successor.asks_to_connect():
            self._let_connect(c, c.serving, c.successor, now)

    # ---- the wanted generation

    def _differs(self, c: Connection, g: Generation) -> bool:
        assert c.wanted is not None
        return g.spec != c.wanted.spec or self._key_differs(c, g)

    def _key_differs(self, c: Connection, g: Generation) -> bool:
        """Tell whether it streams with another key, or other secrets, than the wanted ones."""
        assert c.lease is not None
        return g.streams and g.key != key_spec(self._context.pool.ring[c.lease.key_id])

    def _drop_stale_successor(self, c: Connection, now: float) -> None:
        s = c.successor
        if s is None or c.wanted is None or s.streams or s.state is GenerationState.CONNECTING:
            return
        if s.state in _CANNOT_BE_REFRESHED:
            return  # it is being ended; its exit clears its place
        assert c.serving is not None
        is_needed = c.handover.way is not None or c.handover.old_returns or self._differs(c, c.serving)
        if not _is_same_but_for_ticket(s.spec, c.wanted.spec) or c.refused(now) or not is_needed:
            self._drop_successor(c)

    def _drop_successor(self, c: Connection) -> None:
        successor = c.handover.abandon()
        if successor is not None:
            c.leaving.append(successor)
            if successor.state not in _CANNOT_BE_REFRESHED:
                self._context.fleet.drain(successor, self._context.drain_s())

    def _start_when_due(self, c: Connection, now: float) -> None:
        if not self._is_due(c, now) or not self._gate.may_start(c):
            return
        successor = self._gate.fork(c, now)
        if successor is None:
            self._is_due(c, now)  # what has just failed is due later, and the connection says so
            return
        c.refreshed_at = now
        c.handover.begin(successor)

    def _is_due(self, c: Connection, now: float) -> bool:
        """Tell whether a refresh may start; if not yet, the connection waits for it."""
        interval = self._context.settings.supervisor.refresh_min_interval
        due = max(
            c.refreshed_at + interval if c.refreshed_at is not None else now,
            c.refresh_crashes.not_before(now) or now,
            c.refusal.until if c.refusal is not None and c.refused(now) else now,
        )
        if due > now:
            self._gate.wait(c, Wait(WaitKind.REFRESH_DUE, "the next refresh is not due yet", due), now)
        return due <= now

    # ---- its stream

    def _let_connect(self, c: Connection, old: Generation, new: Generation, now: float) -> None:
        assert c.lease is not None
        if old.state is GenerationState.CONNECTING or (old.closing and old.streams):
            return  # its result is known in a moment
        if c.handover.way is Way.SERIAL:
            self._connect(c, new, c.lease, Purpose.FRESH, now)  # nothing streams now
        elif c.handover.old_returns:
            return  # the old one connects first
        elif not old.streams:
            self._take_over(c, old)
        elif old.lease is not None and old.lease.key_id != c.lease.key_id:
            self._connect(c, new, c.lease, Purpose.FRESH, now)  # the old one's key is lost: move
        else:
            self._choose(c, old, new, now)

    def _take_over(self, c: Connection, old: Generation) -> None:
        """Let the new generation serve from now on: there is no stream to protect."""
        c.leaving.append(old)
        self._context.fleet.drain(old, self._context.drain_s())
        c.serving = c.handover.take_place()

    def _choose(self, c: Connection, old: Generation, new: Generation, now: float) -> None:
        assert c.lease is not None
        pool, key_id = self._context.pool, c.lease.key_id
        held = self._gate.hold_wait(c, key_id, now) or self._wait_for_other(c, now)
        if held is not None:
            self._gate.wait(c, held.of_refresh(), now)  # before anything is closed for it
            return
        verdict = pool.may_connect(key_id, Purpose.REFRESH, now)
        way, lease = self._open_way(c, c.lease, verdict, now)
        if way is None:
            self._gate.wait(c, self._no_way(c, key_id, verdict), now)
        elif way is Way.SERIAL:
            self._close_first(c, old, now)
        elif self._connect(c, new, lease, Purpose.REFRESH, now):
            c.handover.connect_in(way)
        elif lease is not c.lease:
            pool.give_back(lease, now)

    def _open_way(
        self, c: Connection, own: Lease, verdict: ConnectVerdict, now: float
    ) -> tuple[Way | None, Lease]:
        """Return the first way that is allowed and possible, with the lease to take it by."""
        pool, key_id = self._context.pool, own.key_id
        slot = pool.lend_slot(key_id, c.name, now) if verdict.allowed else None
        spare = pool.lend_spare(c.name, key_id, Purpose.REFRESH, now) if c.app is None else None
        possible = Possible(
            slot=slot is not None,
            spare=spare is not None,
            overlap=verdict.allowed and c.app is None and self._may_overlap(key_id),
            serial=verdict.allowed,
        )
        way = choose_way(self._allowed_ways(c), possible)
        lent = {Way.SLOT: slot, Way.SPARE: spare}.get(way) if way is not None else None
        for unused in (slot, spare):
            if unused is not None and unused is not lent:
                pool.give_back(unused, now)
        return way, lent or own

    def _allowed_ways(self, c: Connection) -> set[Way]:
        allowed = {Way(name) for name in self._context.settings.supervisor.handover}
        if c.has_cover and Way.SLOT in allowed:
            allowed.add(Way.SERIAL)  # both slots are taken: the other stream bridges the change
        return allowed

    def _wait_for_other(self, c: Connection, now: float) -> Wait | None:
        """Return the wait for the other connection of its app, which is to bridge the change.

        Its stream must have lasted: what came before it, this one may not have read yet.
        """
        other = c.other
        if other is None or other.is_stopped or not other.is_planned or other.serving is None:
            return None
        if not c.has_cover:
            is_coming = other.wait is None or other.wait.kind in PASSING
            return (
                Wait(WaitKind.OTHER_FIRST, "the other connection of its app comes first")
                if is_coming
                else None
            )
        due = (other.streaming_since or now) + self._context.settings.supervisor.refresh_min_interval
        if due <= now:
            return None
        return Wait(WaitKind.OTHER_FIRST, "the other connection of its app streams only just now", due)

    def _close_first(self, c: Connection, old: Generation, now: float) -> None:
        """Close the old stream once only that still keeps the new one from connecting."""
        assert c.lease is not None
        address = self._context.pool.ring[c.lease.key_id].source_address
        due = c.handover.serial_due
        if due is not None and due > now:
            text = "its successor failed a moment ago"
            self._gate.wait(c, Wait(WaitKind.REFRESH_DUE, text, due).of_refresh(), now)
        elif self._gate.take_pace(c, address, now):
            c.handover.connect_in(Way.SERIAL)
            self._context.fleet.close_stream(old, GapCause.REFRESH)

    def _no_way(self, c: Connection, key_id: str, verdict: ConnectVerdict) -> Wait:
        if not verdict.allowed:
            return self._gate.key_wait(c, verdict, key_id).of_refresh()
        return Wait(WaitKind.NO_WAY, "no way allowed by handover is open").of_refresh()

    def _may_overlap(self, key_id: str) -> bool:
        """Tell whether an overlap is safe: the server closes the key's oldest stream, whoever has it."""
        pool = self._context.pool
        return pool.ring[key_id].max_connections == 1 and pool.records.of(key_id).may_overlap()

    def _connect(self, c: Connection, new: Generation, lease: Lease, purpose: Purpose, now: float) -> bool:
        if (held := self._gate.hold_wait(c, lease.key_id, now)) is not None:
            self._gate.wait(c, held.of_refresh(), now)
            return False
        verdict = self._context.pool.may_connect(lease.key_id, purpose, now)
        if not verdict.allowed:
            self._gate.wait(c, self._gate.key_wait(c, verdict, lease.key_id).of_refresh(), now)
            return False
        return self._gate.permit(c, new, lease, now)


def _is_same_but_for_ticket(one: Spec, other: Spec) -> bool:
    """Tell whether only the ticket differs: the successor under way stays, and another refresh follows."""
    return (one.rules, one.settings) == (other.rules, other.settings)
