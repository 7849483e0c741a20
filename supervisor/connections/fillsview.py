"""What the workers of v2 connections tell about the filling of gaps; under v1.1 none is filled."""

from __future__ import annotations

from typing import Protocol

from traptor.common.errors import ProtocolError
from traptor.common.messages import PieceFetched
from traptor.supervisor.workers.generation import Generation


class FillsView(Protocol):
    """The filling of gaps; `supervisor.fills.fills.Fills` is it."""

    def fetched(self, g: Generation, answer: PieceFetched) -> None:
        """Take a worker's answer about a piece."""


class NoFills:
    """No gap is filled."""

    def fetched(self, _g: Generation, _answer: PieceFetched) -> None:
        """Raise ProtocolError: nothing was asked for."""
        raise ProtocolError("a piece of a gap that nobody asked for")
