"""Serve a connection that has rules and a key: start its worker, tell it its rules, let it connect."""

from __future__ import annotations

from traptor.common.messages import OutboxTrouble
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.steps.gate import Gate
from traptor.supervisor.connections.steps.refresh import Refresh
from traptor.supervisor.connections.waits import Wait, WaitKind
from traptor.supervisor.gaps.interval import GapCause
from traptor.supervisor.keys.conduct.budget import Purpose
from traptor.supervisor.workers.states import GenerationState

_OUTBOX_TROUBLES = {
    OutboxTrouble.LIMIT: "its outbox is full (outbox_max_bytes): the output does not take what waits there",
    OutboxTrouble.DISK: "its outbox cannot grow: the disk of state_dir is full",
    OutboxTrouble.BROKEN: "its outbox cannot be written, see its log",
}


class Serving:
    """The part of a step that concerns the serving generation; its successor is the refresh's."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._context = context
        self._gate = gate
        self._refresh = Refresh(context, gate)

    def serve(self, c: Connection, now: float) -> None:
        """Do what is due for the serving generation, or start one; `c.lease` is set."""
        self._close_for_app(c)
        self._tell_rules(c)  # before a connect is permitted
        if c.serving is None:
            c.serving = c.handover.take_place()
        if c.serving is None:
            self._start(c, now)
            return
        self._refresh.step(c, now)
        self._permit(c, now)

    def _close_for_app(self, c: Connection) -> None:
        """Close the streams of an app that may read no more."""
        app = self._context.app_of(c)
        hold = app.hold() if app is not None else None
        if hold is None or not hold.closes:
            return
        for g in c.generations:
            if g.streams and g.closing is None:
                self._context.fleet.close_stream(g, GapCause.COST)

    def _tell_rules(self, c: Connection) -> None:
        """Tell the workers of an app what they match by now."""
        app = self._context.app_of(c)
        if app is None:
            return
        knowledge = app.knowledge
        for g in c.generations:
            is_able = g.state not in (GenerationState.DRAINING, GenerationState.GONE) and g.fault is None
            if is_able and g.told is not knowledge:
                self._context.fleet.tell_rules(g, knowledge)

    def _start(self, c: Connection, now: float) -> None:
        if self._waits_after_crash(c, now):
            return
        if c.lease is not None and (held := self._gate.fork_wait(c, c.lease, now)) is not None:
            self._gate.wait(c, held, now)
        elif self._gate.may_start(c):
            c.serving = self._gate.fork(c, now)
            c.fork_failed = c.serving is None
            if c.fork_failed:
                self._waits_after_crash(c, now)
        else:
            self._gate.wait(c, Wait(WaitKind.TURN, "others are starting"), now)

    def _waits_after_crash(self, c: Connection, now: float) -> bool:
        """Tell whether its next worker is not due yet; then the connection says so."""
        not_before = c.crashes.not_before(now)
        if not_before is not None:
            self._gate.wait(c, _no_worker_yet(c, not_before), now)
        return not_before is not None

    def _permit(self, c: Connection, now: float) -> None:
        g, lease = c.serving, c.lease
        if g is not None and g.state is GenerationState.OUTBOX_FULL:
            text = _OUTBOX_TROUBLES[g.outbox_trouble or OutboxTrouble.LIMIT]
            self._gate.wait(c, Wait(WaitKind.OUTBOX_FULL, text), now)
        if g is None or lease is None or not g.asks_to_connect():
            return
        if c.handover.successor_first:
            return  # its successor connects
        if c.refusal is not None and c.refusal.rules == g.spec.rules and now < c.refusal.until:
            # A different set of rules is wanted now: the successor takes over.
            self._gate.wait(c, c.refusal.wait, now)
            return
        verdict = self._context.pool.may_connect(lease.key_id, Purpose.FRESH, now)
        if (held := self._gate.hold_wait(c, lease.key_id, now)) is not None:
            self._gate.wait(c, held, now)
            return
        if c.may_be_covered and now < c.slot_refused_until:
            text = "X gives the app no second connection"
            self._gate.wait(c, Wait(WaitKind.SLOT_HELD, text, c.slot_refused_until), now)
        elif not verdict.allowed:
            self._gate.wait(c, self._gate.key_wait(c, verdict, lease.key_id), now)
        else:
            self._gate.permit(c, g, lease, now)


def _no_worker_yet(c: Connection, until: float) -> Wait:
    if c.fork_failed:
        return Wait(WaitKind.NO_WORKER, "this host cannot fork a worker", until)
    return Wait(WaitKind.CRASHED, f"its worker crashed{c.last_crash}", until)
