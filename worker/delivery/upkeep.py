"""The periodic work of a delivery, beside the messages."""

from __future__ import annotations

from collections.abc import Callable

from traptor.common.birth import OutboxSettings
from traptor.worker.delivery.lastkept import LastKept
from traptor.worker.delivery.outflow import Outflow
from traptor.worker.delivery.progress import Progress
from traptor.worker.delivery.sink import Sink
from traptor.worker.delivery.watch import OutputWatch
from traptor.worker.outbox.folder import OutboxFolder
from traptor.worker.seen.register import Register

SYNC_S = 0.1
_ADOPT_S = 2.0
_GIVE_BACK_S = 5.0


class Every:
    """Tells when a periodic task is due; at first it is due at once."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._done_at = 0.0

    def is_due(self, now: float) -> bool:
        """Tell whether the interval has passed since it was done."""
        return now - self._done_at >= self._interval_s

    def done(self, now: float) -> None:
        """Record that it was done."""
        self._done_at = now

    def take_turn(self, now: float) -> bool:
        """Tell whether it is due, and count it as done then."""
        is_due = self.is_due(now)
        if is_due:
            self._done_at = now
        return is_due


class Upkeep:
    """Syncs the sink, adopts what dead generations left, returns disk space, and logs the output's state.

    Used by one thread at a time.
    """

    def __init__(
        self,
        settings: OutboxSettings,
        sink: Sink,
        folder: OutboxFolder,
        outflow: Outflow,
        register: Register | None,
        last_kept: LastKept,
        name: str | None = None,
    ) -> None:
        self._is_synced = settings.synced
        self._sink = sink
        self._folder = folder
        self._outflow = outflow
        self._register = register
        self._last_kept = last_kept
        self._progress = Progress(name)
        self.oldest_at: float | None = None  # about when the oldest message came (any thread)
        self._watch = OutputWatch(sink, settings.confirm_timeout_s, name)
        self._sync = Every(SYNC_S)
        self._adoption = Every(_ADOPT_S)
        self._give_back = Every(_GIVE_BACK_S)

    @property
    def unconfirmed_since(self) -> float | None:
        """The time since which the output has confirmed nothing; None: it works (any thread)."""
        return self._watch.unconfirmed_since

    def look(self, backlog: Callable[[], int], now: float) -> None:
        """Do what is due; `backlog` tells how many messages are not delivered."""
        if self._is_synced and self._sync.take_turn(now):
            self._sink.sync()
        if self._adoption.is_due(now):
            self.adopt(now)
        if self._give_back.take_turn(now):
            self._outflow.give_back()
        self._watch.look(self._outflow.front(), backlog(), now)
        self.oldest_at = self._outflow.oldest_at()
        self._progress.say(backlog(), self._outflow.waiting_bytes, now)

    def adopt(self, now: float) -> None:
        """Adopt what dead generations left; it goes out before this generation's own messages."""
        self._adoption.done(now)
        adopted = self._folder.adopt()
        if not adopted:
            return
        if self._register is not None:
            for outbox in adopted:
                self._register.adopt(self._last_kept.in_outbox(outbox))
        self._outflow.adopt(adopted, self._sink.last_written())
