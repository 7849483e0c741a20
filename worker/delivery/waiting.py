"""Keep the batches of an outbox that wait for their turn."""

from __future__ import annotations

from collections import deque

from traptor.worker.outbox.outbox import Batch, Outbox

_MARK_S = 10.0


class WaitingBatches:
    """Hands out, in order, the batches that were added; those that existed before come first."""

    def __init__(self, outbox: Outbox, *, is_adopted: bool, now: float = 0.0) -> None:
        self.outbox = outbox
        self._marks: deque[tuple[int, float]] = deque()  # numbers of batches, and when each was put in
        self.is_adopted = is_adopted
        # First and last number of each run: a long outage leaves a hundred thousand batches.
        self._runs: deque[tuple[int, int]] = deque()
        if outbox.last:
            self._runs.append((1, outbox.last))
            self._marks.append((1, now))

    def __bool__(self) -> bool:
        return bool(self._runs)

    @property
    def since(self) -> float | None:
        """About when the next batch was put in, or found; None: none waits."""
        while len(self._marks) > 1 and self._runs and self._marks[1][0] <= self._runs[0][0]:
            self._marks.popleft()
        return self._marks[0][1] if self._runs and self._marks else None

    def add(self, batch: Batch, now: float = 0.0) -> None:
        """Add a batch, which is newer than all others."""
        if not self._runs:
            self._marks.clear()
        if not self._marks or now - self._marks[-1][1] >= _MARK_S:
            self._marks.append((batch.number, now))
        if self._runs and self._runs[-1][1] == batch.number - 1:
            first, _ = self._runs.pop()
            self._runs.append((first, batch.number))
        else:
            self._runs.append((batch.number, batch.number))

    def next(self) -> Batch | None:
        """Remove and return the next batch; None when there is none. Raises OutboxError."""
        while self._runs:
            first, last = self._runs[0]
            batch = self.outbox.after(first - 1)
            self._runs.popleft()
            if batch is not None and batch.number <= last:
                if batch.number < last:
                    self._runs.appendleft((batch.number + 1, last))
                return batch
        return None
