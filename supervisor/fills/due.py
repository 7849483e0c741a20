"""A fill of which the next piece may be asked for, and the workers that may be asked."""

from __future__ import annotations

from dataclasses import dataclass

from traptor.supervisor.apps.app import App
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.fills.pieces.course import Course, Worker
from traptor.supervisor.gaps.fill import Fill
from traptor.supervisor.workers.generation import Generation


@dataclass(frozen=True, slots=True)
class DueFill:
    """The fill, the connection that had the gap, and the generation to ask."""

    c: Connection
    app: App
    course: Course
    fill: Fill
    g: Generation

    @property
    def worker(self) -> Worker:
        """Who is asked."""
        return worker_of(self.g)


def asked_of(c: Connection) -> Generation | None:
    """Return the generation to ask: its own, or while it has no stream that of the app's other connection."""
    if not c.streams and c.other is not None and c.other.streams:
        return c.other.serving
    return c.serving


def workers_of(c: Connection) -> list[Worker]:
    """Return those that may still answer, whether or not they have a stream."""
    return [worker_of(one.serving) for one in (c, c.other) if one is not None and one.serving is not None]


def worker_of(g: Generation) -> Worker:
    """Return how a generation is known here."""
    return Worker(g.birth.connection, g.birth.generation)
