"""What the workers of v2 connections tell about the filling of gaps; under v1.1 none is filled."""

from __future__ import annotations

from typing import Protocol

from traptor.common.errors import ProtocolError
from traptor.common.messages import Disconnected, PieceFetched
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.workers.generation import Generation


class FillsView(Protocol):
    """The filling of gaps; `supervisor.fills.fills.Fills` is it."""

    def fetched(self, g: Generation, answer: PieceFetched) -> None:
        """Take a worker's answer about a piece."""

    def minutes(self, c: Connection, now: float) -> int:
        """Return how many minutes of the past the stream that is permitted now has to bring."""

    def refused(self, g: Generation, message: Disconnected) -> bool:
        """Tell whether X refused a connect for the minutes that it asked for."""

    def connected(self, g: Generation, at: float) -> None:
        """Record that a stream opened, which may bring posts of the past."""

    def ended(self, g: Generation) -> None:
        """Take note that a worker's process is gone."""


class NoFills:
    """No gap is filled."""

    def fetched(self, _g: Generation, _answer: PieceFetched) -> None:
        """Raise ProtocolError: nothing was asked for."""
        raise ProtocolError("a piece of a gap that nobody asked for")

    def minutes(self, _c: Connection, _now: float) -> int:
        """Return 0: no stream brings any."""
        return 0

    def refused(self, _g: Generation, _message: Disconnected) -> bool:
        """Return False: none were asked for."""
        return False

    def connected(self, _g: Generation, _at: float) -> None:
        """Expect nothing."""

    def ended(self, _g: Generation) -> None:
        """Expect nothing of it."""
