"""Find the earliest of many moments, each kept under a name."""

from __future__ import annotations

import heapq

_SPARE = 64  # stale entries tolerated in the heap beyond the number of names


class Moments:
    """Moments (monotonic seconds) by name; looking up the earliest does not depend on their number."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []  # holds every moment, and some that no longer count

    def __len__(self) -> int:
        return len(self._at)

    @property
    def earliest(self) -> float | None:
        """The earliest moment, or None when there is none."""
        while self._heap and not self._counts(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def set(self, name: str, at: float | None) -> None:
        """Store `at` under `name`, replacing any earlier value; None removes it."""
        if at is None:
            self._at.pop(name, None)
        elif self._at.get(name) != at:
            self._at[name] = at
            self._push((at, name))

    def add(self, name: str, at: float | None) -> None:
        """Store `at` under `name` unless an earlier moment is stored there; None adds nothing."""
        if at is not None and at < self._at.get(name, at + 1):
            self.set(name, at)

    def take(self, now: float) -> list[str]:
        """Return the names whose moment has come, and forget their moments."""
        come = []
        while (at := self.earliest) is not None and at <= now:
            _, name = heapq.heappop(self._heap)
            del self._at[name]
            come.append(name)
        return come

    def clear(self) -> None:
        """Forget all moments."""
        self._at.clear()
        self._heap.clear()

    def _counts(self, entry: tuple[float, str]) -> bool:
        at, name = entry
        return self._at.get(name) == at

    def _push(self, entry: tuple[float, str]) -> None:
        heapq.heappush(self._heap, entry)
        if len(self._heap) > 2 * len(self._at) + _SPARE:
            self._heap = [(at, name) for name, at in self._at.items()]
            heapq.heapify(self._heap)
