"""Keep the batches of an outbox that wait for their turn."""

from __future__ import annotations

from collections import deque

from traptor.worker.outbox.outbox import Batch, Outbox


class Waiting:
    """Hands out, in order, the batches that were added; those that existed before come first."""

    def __init__(self, outbox: Outbox, *, is_adopted: bool) -> None:
        self.outbox = outbox
        self.is_adopted = is_adopted
        # First and last number of each run: a long outage leaves a hundred thousand batches.
        self._runs: deque[tuple[int, int]] = deque()
        if outbox.last:
            self._runs.append((1, outbox.last))

    def __bool__(self) -> bool:
        return bool(self._runs)

    def add(self, batch: Batch) -> None:
        """Add a batch, which is newer than all others."""
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
