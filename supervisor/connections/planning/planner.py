"""What every planner offers: the two APIs cut rules into connections in different ways."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from traptor.supervisor.connections.connection import Connection, WantedGeneration


class Planner(Protocol):
    """Decides which connections there are, and what each of them should carry."""

    def invalidate(self) -> None:
        """Plan everything afresh next time: settings changed."""

    def plan(self, now: float) -> None:
        """Set what each connection should carry, as it follows from the rules and from what streams now."""

    def plan_around(self, names: Collection[str], now: float) -> set[str]:
        """Plan what concerns these connections, and return those whose plan changed."""

    def forget(self, c: Connection) -> None:
        """Forget a connection that is not planned and has no process."""

    def connection(self, name: str, now: float) -> Connection | None:
        """Return the connection of this name, created if it is not planned; None for an invalid name."""

    def wanted_of_drain_worker(self) -> WantedGeneration:
        """Return the inputs of a generation that streams nothing."""
