"""Who waits for something that few can have at a time, such as a place to start in, and who is next."""

from __future__ import annotations

import heapq

from traptor.supervisor.connections.planner import Rank


class Turns:
    """Connections in the order of their ranks; a connection stands in it once, with its latest rank."""

    def __init__(self) -> None:
        self._ranks: dict[str, Rank] = {}
        self._heap: list[tuple[Rank, str]] = []  # has everybody who waits, and some who left

    def __len__(self) -> int:
        return len(self._ranks)

    def wait(self, name: str, rank: Rank) -> None:
        """Let a connection wait."""
        if self._ranks.get(name) != rank:
            self._ranks[name] = rank
            heapq.heappush(self._heap, (rank, name))

    def leave(self, name: str) -> None:
        """Let a connection wait no longer."""
        self._ranks.pop(name, None)

    def clear(self) -> None:
        """Let nobody wait any longer."""
        self._ranks.clear()
        self._heap.clear()

    def take(self) -> str | None:
        """Return who is next, who then waits no longer; None when nobody waits."""
        while self._heap:
            rank, name = heapq.heappop(self._heap)
            if self._ranks.get(name) == rank:
                del self._ranks[name]
                return name
        return None
