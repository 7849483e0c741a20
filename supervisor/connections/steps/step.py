"""Take one connection a step further: end what must not be, serve what may be served, or say why it waits."""

from __future__ import annotations

from traptor.supervisor.connections.connection import Connection, RulesRefusal
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.steps.gate import Gate
from traptor.supervisor.connections.steps.holding import Holding
from traptor.supervisor.connections.steps.serving import Serving
from traptor.supervisor.connections.waits import STOPPED_TEXT, Wait, WaitKind
from traptor.supervisor.gaps.interval import GapCause, instant
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.workers.leftovers import is_second
from traptor.supervisor.workers.states import GenerationState

_OTHER_FIRST = "the first connection of its app is replaced before"


class Step:
    """Compares what one connection should be with what it is, and does the next thing for it."""

    def __init__(self, context: Context, gate: Gate, holding: Holding) -> None:
        self._context = context
        self._gate = gate
        self._holding = holding
        self._serving = Serving(context, gate)

    def take(self, c: Connection, now: float) -> None:
        """Do what can be done for the connection now; `c.wait` tells why that is not all."""
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
        elif (refusal := _standing_refusal(c, now)) is not None:
            self._retire_all(c)
            self._gate.wait(c, refusal.wait, now)
        elif _is_too_early(c):
            self._plan_gap(c, GapCause.START, now)
            self._gate.wait(c, Wait(WaitKind.OTHER_FIRST, _OTHER_FIRST), now)
        elif not self._holding.find(c, now):
            self._retire_all(c)
            self._plan_gap(c, GapCause.NO_KEY, now)
            self._gate.wait(c, self._holding.lack(c, now), now)
        else:
            self._plan_gap(c, GapCause.START, now)
            self._serving.serve(c, now)

    def _stop(self, c: Connection, now: float) -> None:
        """End its stream and free its key, until the operator starts it again."""
        c.forget_key()
        c.handover.end_unwanted(now)
        self._retire_all(c)
        self._plan_gap(c, GapCause.OPERATOR_STOP, now)
        self._gate.wait(c, Wait(WaitKind.STOPPED, STOPPED_TEXT), now)

    def _plan_gap(self, c: Connection, cause: GapCause, now: float) -> None:
        c.gaps.planned(cause, instant(now))

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


def _standing_refusal(c: Connection, now: float) -> RulesRefusal | None:
    """Return the refusal of the rules it would connect with; None where it has a stream to keep."""
    if not c.refused(now) or c.refusal is None:
        return None
    keeps = c.serving is not None and (c.serving.streams or c.serving.spec.rules != c.refusal.rules)
    return None if keeps else c.refusal


def _is_too_early(c: Connection) -> bool:
    """Tell whether the first connection of the app still delivers whatever comes, copies too."""
    other = c.other
    if other is None or c.serving is not None or not is_second(c.name):
        return False
    return any(g.streams or g is other.serving for g in other.generations if not g.birth.is_one_of_two)
