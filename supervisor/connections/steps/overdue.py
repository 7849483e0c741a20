"""End overdue workers: those that broke the protocol, do not end, were replaced, hang, or exceed limits."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from traptor.common.logs.event import fields
from traptor.supervisor.connections.agenda import Agenda
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.workers.generation import Ending, Generation
from traptor.supervisor.workers.health import hang_reason
from traptor.supervisor.workers.states import GenerationState

log = logging.getLogger(__name__)


class Overdue:
    """The part of a reconcile step that ends such workers."""

    def __init__(self, context: Context, agenda: Agenda) -> None:
        self._context = context
        self._agenda = agenda

    def end(self, connections: Iterable[Connection], now: float) -> None:
        """End the workers of these connections that are due to be ended now."""
        run_now = self._context.run_clock.read(now)
        for g in [g for c in connections for g in c.generations]:
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
                log.error("worker exceeds its limits", extra=_evidence(g, g.illness))
                self._context.fleet.put_down(g, g.illness)

    def note(self, c: Connection) -> None:
        """Make the connection due when the next of its workers may be overdue."""
        for g in c.generations:
            if not g.killed:
                self._agenda.due(c.name, g.kill_at if g.kill_at is not None else g.leave_by)

    def _end_faulty(self, g: Generation) -> None:
        log.error(
            "worker broke the protocol", extra=fields(connection=g.birth.connection, pid=g.pid, what=g.fault)
        )
        g.ended_for_fault()
        self._context.fleet.kill(g)

    def _kill_when_due(self, g: Generation, now: float) -> None:
        assert g.kill_at is not None
        if now >= g.kill_at:
            log.warning(
                "worker did not exit in time: killed", extra=fields(connection=g.birth.connection, pid=g.pid)
            )
            self._context.fleet.kill(g)

    def _close_replaced(self, g: Generation, now: float) -> None:
        """Close a replaced stream; in an overlap only if the server has not closed it."""
        assert g.leave_by is not None
        ends = g.state in (GenerationState.DRAINING, GenerationState.GONE)
        if not ends and (now >= g.leave_by or not g.streams):
            self._context.fleet.drain(g, self._context.drain_s())


def _evidence(g: Generation, why: str) -> dict[str, object]:
    """Return the facts about a worker that is put down; its stacks go into its own log."""
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
