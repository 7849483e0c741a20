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
from traptor.supervisor.connections.agenda import Agenda
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.planning.demand import KeyDemand, order_demands
from traptor.supervisor.connections.planning.planner import Planner
from traptor.supervisor.connections.steps.forks import Forks
from traptor.supervisor.connections.steps.gate import Gate
from traptor.supervisor.connections.steps.holding import Holding
from traptor.supervisor.connections.steps.overdue import Overdue
from traptor.supervisor.connections.steps.step import Step
from traptor.supervisor.connections.waits import Wait, WaitKind

log = logging.getLogger(__name__)

# waits for other connections, which a free key does not shorten
_TURNS = frozenset({WaitKind.TURN, WaitKind.PACED})
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
        self._forks = Forks(context, planner.roll)
        self._gate = Gate(context, self._forks, agenda)
        self._waiting: set[str] = set()  # connections for which a free key may change something
        self._replan: set[str] = set()  # connections that the last step looked at
        self._holding = Holding(context)
        self._step = Step(context, self._gate, self._holding)
        self._overdue = Overdue(context, agenda)

    def reconcile(self) -> StepResult:
        """Do what can be done now; after a failure the next step looks at all connections."""
        self._context.fleet.hear()  # before anything is decided, least of all that a worker hangs
        now = self._clock()
        named = self._agenda.take(now)
        try:
            return self._reconcile(named, now)
        except Exception:
            self._agenda.look_at_all()
            raise

    def _reconcile(self, named: frozenset[str] | None, now: float) -> StepResult:
        self._gate.begin_step()
        looked = self._look_at_all(now) if named is None else self._look_at(set(named), now)
        self._take_turns(looked)
        if not self._context.stopping:
            looked.update(self._forks.start_drain_workers(now))
        self._forget_gone(looked)
        if self._holding.give_back_unheld(looked, now) and not self._context.stopping:
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
        self._holding.give_back_unheld(connections, now)
        if not self._context.stopping:  # then all end, whatever is wanted
            self._planner.plan(now)
        for c in self._in_order(connections):
            self._try_step(c, now)
        return set(connections)

    def _look_at(self, names: set[str], now: float) -> set[str]:
        """Look at these connections, and at those that they affect."""
        connections = self._context.connections
        self._overdue.end((connections[name] for name in names & connections.keys()), now)
        is_relief = self._holding.give_back_unheld(names, now)
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

    def _take_turns(self, looked: set[str]) -> None:
        """Step the connections that waited for others, as far as there is room for them.

        Each fork takes a while: by its own time, a connect that has come due meanwhile is the next turn.
        """
        while (name := self._gate.next_turn(now := self._clock())) is not None:
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
            self._step.take(c, now)
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

    def _forget_gone(self, names: Iterable[str]) -> None:
        for name in names:
            c = self._context.connections.get(name)
            if c is not None and c.wanted is None and not c.generations:
                self._leave_lines(c)
                self._planner.roll.forget(c)
            elif c is not None:
                self._replan.add(name)
