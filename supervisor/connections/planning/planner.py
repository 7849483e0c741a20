"""What every planner offers: the two APIs cut rules into connections in different ways."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from traptor.supervisor.connections.planning.roll import Roll


class Planner(Protocol):
    """Decides which connections there are, and what each of them should carry."""

    roll: Roll  # the connections that there are

    def invalidate(self) -> None:
        """Plan everything afresh next time: settings changed."""

    def plan(self, now: float) -> None:
        """Set what each connection should carry, as it follows from the rules and from what streams now."""

    def plan_around(self, names: Collection[str], now: float) -> set[str]:
        """Plan what concerns these connections, and return those whose plan changed."""
