"""Queue connections for something limited, such as a place to start, and pick the next."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from traptor.supervisor.connections.planning.demand import Rank


class Turns:
    """Connections ordered by rank; a connection is in it once, with its latest rank."""

    def __init__(self) -> None:
        self._ranks: dict[str, Rank] = {}
        self._heap: list[tuple[Rank, str]] = []  # holds all that wait, and some that left

    def __len__(self) -> int:
        return len(self._ranks)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ranks)

    def wait(self, name: str, rank: Rank) -> None:
        """Add a connection to the queue."""
        if self._ranks.get(name) != rank:
            self._ranks[name] = rank
            heapq.heappush(self._heap, (rank, name))

    def leave(self, name: str) -> None:
        """Remove a connection from the queue."""
        self._ranks.pop(name, None)

    def clear(self) -> None:
        """Empty the queue."""
        self._ranks.clear()
        self._heap.clear()

    def take(self) -> str | None:
        """Remove and return the next connection; None when none waits."""
        while self._heap:
            rank, name = heapq.heappop(self._heap)
            if self._ranks.get(name) == rank:
                del self._ranks[name]
                return name
        return None
