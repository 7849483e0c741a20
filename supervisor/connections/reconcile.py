"""Compare what should run with what runs, and carry out the difference: the one step of the master.

Whatever happens (a hint, a signal, an exit, a changed file, a timer) only marks what changed and triggers
this step. Nothing else starts, connects or drains a worker; only a second TERM kills them all at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from traptor.common.logs.event import fields
from traptor.common.messages import OutboxTrouble
from traptor.supervisor.connections.agenda import Agenda
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.forks import Forks
from traptor.supervisor.connections.gate import Gate
from traptor.supervisor.connections.overdue import Overdue
from traptor.supervisor.connections.planning.demand import KeyDemand, order_demands
from traptor.supervisor.connections.planning.planner import Planner
from traptor.supervisor.connections.refresh import Refresh
from traptor.supervisor.connections.waits import STOPPED_TEXT, Wait, WaitKind, lack_of_key, lack_of_own_key
from traptor.supervisor.gaps.interval import GapCause, instant
from traptor.supervisor.keys.conduct.budget import Purpose
from traptor.supervisor.keys.conduct.states import KeyState
from traptor.supervisor.keys.leases import Lease
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.workers.leftovers import is_second
from traptor.supervisor.workers.states import GenerationState

log = logging.getLogger(__name__)

_OUTBOX_TROUBLES = {
    OutboxTrouble.LIMIT: "its outbox is full (outbox_max_bytes): the output does not take what waits there",
    OutboxTrouble.DISK: "its outbox cannot grow: the disk of state_dir is full",
    OutboxTrouble.BROKEN: "its outbox cannot be written, see its log",
}
# waits for other connections, which a free key does not shorten
_TURNS = frozenset({WaitKind.TURN, WaitKind.PACED})
_OTHER_FIRST = "the first connection of its app is replaced before"
_BROKEN_S = 10.0  # between attempts of a step that fails: each leaves a traceback in the log


@dataclass(frozen=True, slots=True)
class StepResult:
    """The result of a step: the connections it looked at (None: all), and when the next one is due.

    `next_at` is monotonic, None when nothing is due without an event.
    """

    looked_at: Collection[str] | None
    next_at: float | None


NO_STEP = StepResult(frozenset(), None)


class Reconciler:
    """Brings the connections of a Context to what is wanted, one step at a time.

    A step looks at what the agenda names: the connections that an event concerns, or all of them.
    """

    def __init__(
        self,
        context: Context,
        planner: Planner,
        agenda: Agenda,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._context = context
        self._planner = planner
        self._agenda = agenda
        self._forks = Forks(context, planner)
        self._gate = Gate(context, self._forks, agenda)
        self._waiting: set[str] = set()  # connections for which a free key may change something
        self._replan: set[str] = set()  # connections that the last step looked at
        self._refresh = Refresh(context, self._gate)
        self._overdue = Overdue(context, agenda)

    def reconcile(self) -> StepResult:
        """Do what can be done now; after a failure the next step looks at all connections."""
        now = self._clock()
        named = self._agenda.take(now)
        try:
            return self._reconcile(named, now)
        except Exception:
            self._agenda.look_at_all()
            raise

    def _reconcile(self, named: frozenset[str] | None, now: float) -> StepResult:
        looked = self._look_at_all(now) if named is None else self._look_at(set(named), now)
        self._take_turns(looked, now)
        if not self._context.stopping:
            looked.update(self._forks.start_drain_workers(now))
        self._forget_gone(looked)
        if self._give_back_leases(looked, now) and not self._context.stopping:
            self._agenda.look_at(self._waiting)
        if self._context.keys_changed:
            self._context.save_keys(now)
        return StepResult(None if named is None else looked, self._next_at(now))

    def _look_at_all(self, now: float) -> set[str]:
        connections = self._context.connections
        self._context.pool.take_news(now)
        self._gate.clear()
        self._waiting.clear()
        self._overdue.end(connections.values(), now)
        self._give_back_leases(connections, now)
        if not self._context.stopping:  # then all end, whatever is wanted
            self._planner.plan(now)
        for c in self._in_order(connections):
            self._try_step(c, now)
        return set(connections)

    def _look_at(self, names: set[str], now: float) -> set[str]:
        """Look at these connections, and at those that they affect."""
        connections = self._context.connections
        self._overdue.end((connections[name] for name in names & connections.keys()), now)
        is_relief = self._give_back_leases(names, now)
        news = self._context.pool.take_news(now)
        names |= news.holders
        if not self._context.stopping:
            if is_relief or news.is_relief:
                names |= self._waiting
            names |= self._planner.plan_around(self._replan | names, now)
        names |= {c.other.name for name in names if (c := connections.get(name)) is not None and c.other}
        self._replan = set()
        for c in self._in_order(names & connections.keys()):
            self._try_step(c, now)
        return names

    def _take_turns(self, looked: set[str], now: float) -> None:
        """Step the connections that waited for others, as far as there is room for them."""
        while (name := self._gate.next_turn(now)) is not None:
            c = self._context.connections.get(name)
            if c is not None:
                self._gate.admit(c)
                self._try_step(c, now)
                looked.add(name)
        self._gate.admit(None)

    def _next_at(self, now: float) -> float | None:
        """Return the monotonic time of the next step that is due without an event."""
        times = (self._agenda.next_at(now), self._context.pool.next_change(now), self._gate.next_at(now))
        return min((at for at in times if at is not None), default=None)

    def _in_order(self, names: Iterable[str]) -> list[Connection]:
        demands = order_demands(KeyDemand.of(self._context.connections[name]) for name in names)
        return [self._context.connections[demand.connection] for demand in demands]

    # ---- one connection

    def _try_step(self, c: Connection, now: float) -> None:
        """Step one connection; its failure must not end the streams of the others."""
        self._leave_lines(c)
        if now < c.broken_until:
            self._agenda.due(c.name, c.broken_until)
            return
        c.wait = None
        try:
            self._step(c, now)
        except Exception:
            log.exception("a reconcile step failed", extra=fields(connection=c.name))
            c.broken_until = now + _BROKEN_S
            text = "internal error, see supervisor.log"
            self._gate.wait(c, Wait(WaitKind.STEP_FAILED, text, c.broken_until), now)
        self._note_wait(c)
        self._overdue.note(c)

    def _note_wait(self, c: Connection) -> None:
        if c.wait is not None and c.wait.kind not in _TURNS:
            self._waiting.add(c.name)

    def _leave_lines(self, c: Connection) -> None:
        """Forget what the connection waited for: the step finds out what it waits for now."""
        self._agenda.looked_at(c.name)
        self._waiting.discard(c.name)
        self._gate.leave(c.name)

    def _step(self, c: Connection, now: float) -> None:
        if (app := self._context.app_of(c)) is not None:
            c.in_effect = app.in_effect
        if self._context.stopping:
            self._retire_all(c)
        elif not c.is_planned:
            c.forget_key()
            # an overlap of ours closed a stream that is no longer wanted: no gap
            c.handover.end_unwanted(now)
            self._retire_all(c)
            c.gaps.unplanned(instant(now))
        elif c.is_stopped:
            self._stop(c, now)
        elif self._is_refused(c, now):
            self._retire_all(c)
            self._gate.wait(c, _rules_refused(c), now)
        elif _is_too_early(c):
            self._plan_gap(c, GapCause.START, now)
            self._gate.wait(c, Wait(WaitKind.OTHER_FIRST, _OTHER_FIRST), now)
        elif not self._has_key(c, now):
            self._retire_all(c)
            self._plan_gap(c, GapCause.NO_KEY, now)
            self._gate.wait(c, self._no_key(c, now), now)
        else:
            self._plan_gap(c, GapCause.START, now)
            self._close_for_app(c)
            self._tell_rules(c)  # before a connect is permitted
            self._serve(c, now)

    def _stop(self, c: Connection, now: float) -> None:
        """End its stream and free its key, until the operator starts it again."""
        c.forget_key()
        c.handover.end_unwanted(now)
        self._retire_all(c)
        self._plan_gap(c, GapCause.OPERATOR_STOP, now)
        self._gate.wait(c, Wait(WaitKind.STOPPED, STOPPED_TEXT), now)

    def _is_refused(self, c: Connection, now: float) -> bool:
        """Tell whether it has no stream to keep, and the rules it would connect with are refused."""
        if not c.refused(now) or c.refusal is None:
            return False
        return c.serving is None or (c.serving.spec.rules == c.refusal.rules and not c.serving.streams)

    def _has_key(self, c: Connection, now: float) -> bool:
        pool = self._context.pool
        if c.lease is not None and not self._may_keep(c, c.lease, now):
            # a generation that streams with the key keeps its own hold on it until it has closed
            c.forget_key()
        if c.lease is None:
            c.lease = pool.lend(c.name, now) if c.app is None else pool.lend_slot(c.app, c.name, now)
        elif c.asks and c.app is None:
            self._leave_resting_key(c, c.lease, now)
        return c.lease is not None

    def _leave_resting_key(self, c: Connection, lease: Lease, now: float) -> None:
        """Move a connection without a stream from a key that rests long to a spare that may connect now."""
        pool = self._context.pool
        spare = pool.move(lease, now)
        if spare is None:
            return
        log.info(
            "moves to another key",
            extra=fields(
                connection=c.name,
                key=pool.ring[lease.key_id].name,
                to=pool.ring[spare.key_id].name,
                why=pool.may_connect(lease.key_id, Purpose.FRESH, now).reason,
            ),
        )
        c.forget_key()
        c.lease = spare

    def _may_keep(self, c: Connection, lease: Lease, now: float) -> bool:
        pool = self._context.pool
        if c.app not in (None, lease.key_id):
            return False
        # A suspect key is good for open streams, not for new ones.
        is_suspect = pool.state(lease.key_id, now) is KeyState.SUSPECT
        return pool.still_good(lease, now) and (c.streams or not is_suspect)

    def _serve(self, c: Connection, now: float) -> None:
        if c.serving is None:
            c.serving = c.handover.take_place()
        if c.serving is None:
            self._start(c, now)
            return
        self._refresh.step(c, now)
        self._permit_serving(c, now)

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
        not_before = c.crashes.not_before(now)
        if not_before is not None:
            self._gate.wait(c, _no_worker_yet(c, not_before), now)
        elif c.lease is not None and (held := self._gate.fork_wait(c, c.lease, now)) is not None:
            self._gate.wait(c, held, now)
        elif self._gate.may_start(c):
            c.serving = self._gate.fork(c, now)
        else:
            self._gate.wait(c, Wait(WaitKind.TURN, "others are starting"), now)

    def _permit_serving(self, c: Connection, now: float) -> None:
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
            self._gate.wait(c, _rules_refused(c), now)
            return
        verdict = self._context.pool.may_connect(lease.key_id, Purpose.FRESH, now)
        if (held := self._gate.hold_wait(c, lease.key_id, now)) is not None:
            self._gate.wait(c, held, now)
            return
        if c.has_cover and now < c.slot_refused_until:
            text = "X gives the app no second connection"
            self._gate.wait(c, Wait(WaitKind.SLOT_HELD, text, c.slot_refused_until), now)
        elif not verdict.allowed:
            self._gate.wait(c, self._gate.key_wait(c, verdict, lease.key_id), now)
        else:
            self._gate.permit(c, g, lease, now)

    def _no_key(self, c: Connection, now: float) -> Wait:
        pool = self._context.pool
        if c.app is None:
            return lack_of_key(pool, now, was_refused=c.gaps.standing.cause is GapCause.KEY_REFUSED)
        name = next((key.name for key in self._context.settings.keys if key.key_id == c.app), c.app)
        return lack_of_own_key(pool, c.app, name, now)

    def _plan_gap(self, c: Connection, cause: GapCause, now: float) -> None:
        c.gaps.planned(cause, instant(now))

    # ---- ends

    def _retire_all(self, c: Connection) -> None:
        front = [g for g in (c.serving, c.handover.abandon()) if g is not None]
        c.serving = None
        c.handover.end_return()
        c.leaving += front
        for generation in c.leaving:
            self._drain(generation)

    def _drain(self, g: Generation) -> None:
        is_drain_worker = g.birth.drains and g.kill_at is None and self._context.stopping
        if is_drain_worker or g.state not in (GenerationState.DRAINING, GenerationState.GONE):
            self._context.fleet.drain(g, self._context.drain_s())

    def _forget_gone(self, names: Iterable[str]) -> None:
        for name in names:
            c = self._context.connections.get(name)
            if c is not None and c.wanted is None and not c.generations:
                self._leave_lines(c)
                self._planner.forget(c)
            elif c is not None:
                self._replan.add(name)

    def _give_back_leases(self, holders: Iterable[str], now: float) -> bool:
        """Give back leases held neither by a connection nor by a generation that may have a stream."""
        pool, unheld = self._context.pool, []
        for name in holders:
            c = self._context.connections.get(name)
            held = {c.lease, *(g.lease for g in c.generations)} if c is not None else set()
            unheld += [lease for lease in pool.leases_held_by(name) if lease not in held]
        for lease in unheld:
            pool.give_back(lease, now)
        return bool(unheld)


def _is_too_early(c: Connection) -> bool:
    """Tell whether the first connection of the app still delivers whatever comes, copies too."""
    other = c.other
    if other is None or c.serving is not None or not is_second(c.name):
        return False
    return any(g.streams or g is other.serving for g in other.generations if not g.birth.is_one_of_two)


def _rules_refused(c: Connection) -> Wait:
    text = "the server refuses its rules"
    if c.refusal is None:
        return Wait(WaitKind.RULES_REFUSED, text)
    return Wait(WaitKind.RULES_REFUSED, f"{text} (HTTP {c.refusal.status})", c.refusal.until)


def _no_worker_yet(c: Connection, until: float) -> Wait:
    if c.fork_failed:
        return Wait(WaitKind.NO_WORKER, "this host cannot fork a worker", until)
    return Wait(WaitKind.CRASHED, f"its worker crashed{c.last_crash}", until)
