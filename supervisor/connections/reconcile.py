"""The one step that compares what should run with what runs, and does the difference.

Whatever happens (a hint, a signal, an exit, a changed file, a timer) only marks what changed and has this
step run again. Nothing else starts, connects or drains a worker; only a second TERM kills them all at once.
"""

from __future__ import annotations

import logging
import time

from traptor.common.logs.event import fields
from traptor.common.messages import OutboxTrouble
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context, connect_message, key_spec
from traptor.supervisor.connections.demands import Demand, order_demands
from traptor.supervisor.connections.forks import Forks
from traptor.supervisor.connections.refresh import Refresh
from traptor.supervisor.connections.timer import Timer
from traptor.supervisor.connections.waits import Wait, WaitKind
from traptor.supervisor.gaps import gaplog
from traptor.supervisor.gaps.instants import instant
from traptor.supervisor.gaps.interval import GapCause
from traptor.supervisor.keys.pool import KeyState, Lease, Purpose
from traptor.supervisor.rules.groups import Groups
from traptor.supervisor.workers.generation import Ending, Generation
from traptor.supervisor.workers.hangs import hang_reason
from traptor.supervisor.workers.states import GenerationState

log = logging.getLogger(__name__)

_OUTBOX_TROUBLES = {
    OutboxTrouble.LIMIT: "its outbox is full (outbox_max_bytes): the output does not take what waits there",
    OutboxTrouble.DISK: "its outbox cannot grow: the disk of state_dir is full",
    OutboxTrouble.BROKEN: "its outbox cannot be written, see its log",
}
_BROKEN_S = 10.0  # between tries of a step that fails: each leaves a traceback in the log


class Reconciler:
    """Brings the connections of a Context to what is wanted, one step at a time."""

    def __init__(self, context: Context, groups: Groups) -> None:
        self._context = context
        self._groups = groups
        self._timer = Timer()
        self._forks = Forks(context, groups)
        self._refresh = Refresh(
            context,
            fork=self._fork,
            permit=self._permit,
            may_start=self._forks.may_start_one_more,
            wait=self._wait,
        )

    def reconcile(self) -> float | None:
        """Do what can be done now. The monotonic time of the next step that is due without any event."""
        now = time.monotonic()
        self._timer.reset(self._context.pool.next_change(now))
        self._end_overdue(now)
        self._give_back_leases(now)
        self._groups.plan(now)
        for connection in self._in_order():
            self._try_step(connection, now)
        if not self._context.stopping:
            self._forks.start_drain_workers(now)
        self._forget_gone()
        if self._give_back_leases(now) and any(c.lease is None for c in self._context.connections.values()):
            self._timer.add(now)  # somebody may wait for them
        if self._context.keys_changed:
            self._context.save_keys(now)
        return self._timer.due

    def _in_order(self) -> list[Connection]:
        connections = self._context.connections
        demands = (
            Demand(c.name, len(c.wanted.rules) if c.wanted else 0, c.streaming_since)
            for c in connections.values()
        )
        return [connections[demand.connection] for demand in order_demands(demands)]

    # ---- one connection

    def _try_step(self, c: Connection, now: float) -> None:
        """One connection's trouble must not end the streams of the others."""
        if now < c.broken_until:
            return
        c.wait = None
        try:
            self._step(c, now)
        except Exception:
            log.exception("a step failed", extra=fields(connection=c.name))
            c.broken_until = now + _BROKEN_S
            text = "an error of the supervisor, see supervisor.log"
            self._wait(c, Wait(WaitKind.STEP_FAILED, text, c.broken_until), now)

    def _step(self, c: Connection, now: float) -> None:
        if self._context.stopping:
            self._retire_all(c)
        elif not c.is_planned:
            c.forget_key()
            gaplog.record(c.end_handover(now))  # an overlap of ours closed what nobody wants any more: no gap
            self._retire_all(c)
            gaplog.record(c.gaps.unplanned(instant(now)))
        elif self._is_refused(c, now):
            self._retire_all(c)
            self._wait(c, _rules_refused(c), now)
        elif not self._has_key(c, now):
            self._retire_all(c)
            self._plan_gap(c, GapCause.NO_KEY, now)
            self._wait(c, self._no_key(c, now), now)
        else:
            self._plan_gap(c, GapCause.START, now)
            self._serve(c, now)

    def _is_refused(self, c: Connection, now: float) -> bool:
        """Whether it has no stream to keep, and the rules that it would connect with are refused."""
        if not c.refused(now) or c.refusal is None:
            return False
        return c.serving is None or (c.serving.spec.rules == c.refusal.rules and not c.serving.streams)

    def _has_key(self, c: Connection, now: float) -> bool:
        pool = self._context.pool
        if c.lease is not None and not self._may_keep(c, c.lease, now):
            c.forget_key()  # a generation that streams with it keeps its own hold on it until it has closed
        if c.lease is None:
            c.lease = pool.lend(c.name, now)
        elif c.asks:
            self._leave_resting_key(c, c.lease, now)
        return c.lease is not None

    def _leave_resting_key(self, c: Connection, lease: Lease, now: float) -> None:
        """Without a stream, a spare that may connect now is better than a key that may not for long."""
        pool = self._context.pool
        spare = pool.move(lease, now)
        if spare is None:
            return
        log.info(
            "moves to another key",
            extra=fields(
                connection=c.name,
                key=pool.key(lease.key_id).name,
                to=pool.key(spare.key_id).name,
                why=pool.may_connect(lease.key_id, Purpose.FRESH, now).reason,
            ),
        )
        c.forget_key()
        c.lease = spare

    def _may_keep(self, c: Connection, lease: Lease, now: float) -> bool:
        pool = self._context.pool
        # A suspect is good for open streams, not for new ones.
        is_suspect = pool.state(lease.key_id, now) is KeyState.SUSPECT
        return pool.still_good(lease, now) and (c.streams or not is_suspect)

    def _serve(self, c: Connection, now: float) -> None:
        if c.serving is None:
            c.serving, c.successor = c.successor, None
            gaplog.record(c.end_handover())
        if c.serving is None:
            self._start(c, now)
            return
        self._refresh.step(c, now)
        self._permit_serving(c, now)

    def _start(self, c: Connection, now: float) -> None:
        not_before = c.crashes.not_before(now)
        if not_before is not None:
            self._wait(c, _no_worker_yet(c, not_before), now)
        elif not self._forks.may_start_one_more():
            self._wait(c, Wait(WaitKind.TURN, "others are starting"), now)
        else:
            c.serving = self._fork(c, now)

    def _permit_serving(self, c: Connection, now: float) -> None:
        g, lease = c.serving, c.lease
        if g is not None and g.state is GenerationState.OUTBOX_FULL:
            text = _OUTBOX_TROUBLES[g.outbox_trouble or OutboxTrouble.LIMIT]
            self._wait(c, Wait(WaitKind.OUTBOX_FULL, text), now)
        if g is None or lease is None or not g.asks_to_connect():
            return
        if c.is_handing_over:
            return  # its successor connects
        if c.refusal is not None and c.refusal.rules == g.spec.rules and now < c.refusal.until:
            # What is wanted now is another set of rules: the successor takes over.
            self._wait(c, _rules_refused(c), now)
            return
        verdict = self._context.pool.may_connect(lease.key_id, Purpose.FRESH, now)
        if not verdict.allowed:
            self._wait(c, Wait.for_key(verdict, self._context.pool.key(lease.key_id).name), now)
        else:
            self._permit(c, g, lease, now)

    def _permit(self, c: Connection, g: Generation, lease: Lease, now: float) -> bool:
        """Let a generation connect, unless its source address connected a moment ago."""
        context = self._context
        key = context.pool.key(lease.key_id)
        if not c.has_pace:
            due = context.pacer.next_at(key.source_address, now)
            if due > now:
                self._wait(c, Wait(WaitKind.PACED, "connects are paced", due), now)
                return False
            context.pacer.take(key.source_address, now)
        c.has_pace = False
        context.pool.spend(lease.key_id, now)
        context.save_keys(now)  # before the permission: a budget must not be forgotten
        message, spec = connect_message(key), key_spec(key)
        if g is c.serving and c.held_back is not None and c.held_back[0] == lease.key_id == g.last_key_id:
            # While a new secret is in doubt, the old generation returns with the one that worked.
            assert g.connect is not None
            assert g.key is not None
            message, spec = g.connect, g.key
        if any(other.lease == lease for other in context.fleet.generations):
            # The one time at which a key has a connection too many: said before it can come.
            log.info(
                "an overlap begins", extra=fields(connection=c.name, gen=g.birth.generation, key=key.name)
            )
        g.permitted(message, spec, lease)
        context.fleet.connect(g, message)
        return True

    def _fork(self, c: Connection, now: float) -> Generation | None:
        generation = self._forks.fork(c, now)
        if generation is None:
            backoff = c.crashes if c.serving is None else c.refresh_crashes
            self._timer.add(backoff.crashed(now, 0.0))
        c.fork_failed = generation is None
        return generation

    def _no_key(self, c: Connection, now: float) -> Wait:
        """Say why no key is free: the server refused them all, or there are too few.

        Where it refused this connection's own connect, that stays the reason while a key is quarantined.
        """
        refused = self._context.pool.refused(now)
        was_refused = c.gaps.standing.cause is GapCause.KEY_REFUSED
        if not refused.names or not (was_refused or refused.is_all):
            return Wait(WaitKind.NO_KEY, "no key is free")
        names = ", ".join(refused.names)
        return Wait(WaitKind.KEYS_REFUSED, "no key is free: keys are quarantined", refused.until, names)

    def _wait(self, c: Connection, wait: Wait, now: float) -> None:
        """Say why the connection waits, and book it where nothing streams meanwhile."""
        c.wait = wait
        self._timer.add(wait.until)
        if wait.cause is not None:
            gaplog.record(c.gaps.cause_changed(wait.cause, instant(now)))

    def _plan_gap(self, c: Connection, cause: GapCause, now: float) -> None:
        gaplog.record(c.gaps.planned(cause, instant(now)))

    # ---- ends

    def _retire_all(self, c: Connection) -> None:
        for generation in (c.serving, c.successor):
            if generation is not None:
                self._retire(c, generation)
        c.serving = c.successor = None
        c.old_returns = False
        gaplog.record(c.end_handover())
        for generation in c.leaving:
            self._drain(generation)

    def _retire(self, c: Connection, g: Generation) -> None:
        c.leaving.append(g)
        self._drain(g)

    def _drain(self, g: Generation) -> None:
        is_drain_worker = g.birth.drains and g.kill_at is None and self._context.stopping
        if is_drain_worker or g.state not in (GenerationState.DRAINING, GenerationState.GONE):
            self._context.fleet.drain(g, self._context.drain_s())

    def _end_overdue(self, now: float) -> None:
        run_now = self._context.run_clock.read(now)
        for g in self._context.fleet.generations:
            if g.killed:
                continue  # its exit is on its way
            if g.fault is not None:
                self._end_faulty(g)
            elif g.kill_at is not None:
                self._kill_when_due(g, now)
            elif g.leave_by is not None:
                self._close_replaced(g, now)
            elif why := hang_reason(g, run_now, self._context.settings.supervisor.hang_timeout):
                log.error("worker hangs", extra=_evidence(g, why))
                self._context.fleet.put_down(g, Ending.HUNG)
            elif g.illness is not None:
                log.error("worker is ill", extra=_evidence(g, g.illness))
                self._context.fleet.put_down(g, g.illness)

    def _end_faulty(self, g: Generation) -> None:
        log.error(
            "worker sent nonsense", extra=fields(connection=g.birth.connection, pid=g.pid, what=g.fault)
        )
        g.ending = Ending.FAULT
        self._context.fleet.kill(g)

    def _kill_when_due(self, g: Generation, now: float) -> None:
        assert g.kill_at is not None
        if now >= g.kill_at:
            log.error("worker does not end: killed", extra=fields(connection=g.birth.connection, pid=g.pid))
            self._context.fleet.kill(g)
        else:
            self._timer.add(g.kill_at)

    def _close_replaced(self, g: Generation, now: float) -> None:
        """In an overlap the server closes the older stream; where it does not, and in other ways, we do."""
        assert g.leave_by is not None
        if now >= g.leave_by or not g.streams:
            g.leave_by = None
            self._drain(g)
        else:
            self._timer.add(g.leave_by)

    def _forget_gone(self) -> None:
        gone = [c.name for c in self._context.connections.values() if c.wanted is None and not c.generations]
        for name in gone:
            del self._context.connections[name]

    def _give_back_leases(self, now: float) -> bool:
        """A lease is held by its connection, and by a generation that may have a stream with it."""
        connections = self._context.connections.values()
        held = {c.lease for c in connections} | {g.lease for g in self._context.fleet.generations}
        unheld = [lease for lease in self._context.pool.leases() if lease not in held]
        for lease in unheld:
            self._context.pool.give_back(lease, now)
        return bool(unheld)


def _rules_refused(c: Connection) -> Wait:
    until = c.refusal.until if c.refusal is not None else None
    return Wait(WaitKind.RULES_REFUSED, "the server refuses its rules", until)


def _no_worker_yet(c: Connection, until: float) -> Wait:
    if c.fork_failed:
        return Wait(WaitKind.NO_WORKER, "this host cannot fork a worker", until)
    return Wait(WaitKind.CRASHED, "its worker crashed", until)


def _evidence(g: Generation, why: str) -> dict[str, object]:
    """What is known of a worker that is put down; its stacks go into its own log."""
    report, vitals = g.last_report, g.vitals
    return fields(
        connection=g.birth.connection,
        gen=g.birth.generation,
        pid=g.pid,
        why=why,
        state=g.state,
        activity=report and report.activity,
        received=report and report.counters.received,
        backlog=report and report.backlog,
        anonymous_bytes=vitals and vitals.anonymous_bytes,
        cpu_percent=vitals and vitals.cpu_percent,
        process=vitals and vitals.status,
    )
