"""The timeline of an app's second connection, whose streams count for the app as well."""

from __future__ import annotations

from traptor.supervisor.gaps.interval import GapCause, Instant
from traptor.supervisor.gaps.timeline import GapTracker


class SecondTracker(GapTracker):
    """Keeps one connection's own timeline, and tells that of the app, `shared`, of its streams.

    So the app has a gap only while neither of its connections streams. Why it has one, and whether it is
    planned at all, the first connection says.
    """

    def __init__(self, connection: str, at: Instant, shared: GapTracker) -> None:
        super().__init__(connection, at)
        self._shared = shared

    def streaming(self, generation: int, at: Instant, of: str = "") -> None:
        """Record that a generation got its 200."""
        super().streaming(generation, at, of)
        self._shared.streaming(generation, at, self.connection)

    def stopped(self, generation: int, cause: GapCause, at: Instant, why: str = "", of: str = "") -> None:
        """Record that a generation's stream ended at `at`."""
        super().stopped(generation, cause, at, why, of)
        self._shared.stopped(generation, cause, at, why, self.connection)
