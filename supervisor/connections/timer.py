"""The next moment at which something is due without any event."""

from __future__ import annotations


class Timer:
    """Collects moments (monotonic seconds) and knows the earliest."""

    def __init__(self) -> None:
        self.due: float | None = None

    def reset(self, at: float | None = None) -> None:
        """Forget all moments but `at`."""
        self.due = at

    def add(self, at: float | None) -> None:
        """Something is due at `at`; None: nothing is."""
        if at is not None and (self.due is None or at < self.due):
            self.due = at
