"""Keep the mark of a generation up to date: the time up to which its stream's data is safe."""

from __future__ import annotations

import time
from collections.abc import Callable

from traptor.common.files.mark import Mark
from traptor.worker.delivery.gathering import COMMIT_S, Gathering


class Marker:
    """Writes the mark beside the generation's own outbox; used by one thread at a time."""

    def __init__(self, gathered: Gathering) -> None:
        self._gathered = gathered
        self._stream_since = 0.0
        self._due_at = 0.0

    def stream_opened(self, now: float) -> None:
        """Record when the stream of the next marks began."""
        self._stream_since = now

    def mark_when_due(self, handled_until: Callable[[], float]) -> None:
        """Write the mark, unless that was just done. `handled_until` costs system calls."""
        if time.monotonic() >= self._due_at:
            self.mark(handled_until)

    def mark(self, handled_until: Callable[[], float]) -> None:
        """Write the mark now; nothing is written before anything arrived, nor without an outbox."""
        safe_until, own = self._gathered.safe_until(handled_until()), self._gathered.own
        now = time.monotonic()
        self._due_at = now + COMMIT_S
        if safe_until and own is not None:
            own.outbox.mark(Mark(time.time() - (now - safe_until), safe_until, self._stream_since))
