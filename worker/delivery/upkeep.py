"""Do what a delivery has to do now and then, beside the messages that come."""

from __future__ import annotations

from collections.abc import Callable

from traptor.common.birth import OutboxSettings
from traptor.worker.delivery.outflow import Outflow
from traptor.worker.delivery.progress import Progress
from traptor.worker.delivery.sink import Sink
from traptor.worker.delivery.watch import OutputWatch
from traptor.worker.outbox.folder import OutboxFolder

SYNC_S = 0.1
_ADOPT_S = 2.0
_GIVE_BACK_S = 5.0


class Every:
    """Tell when something is due that is done again and again; at first it is due at once."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._done_at = 0.0

    def is_due(self, now: float) -> bool:
        """Return whether the interval has passed since it was done."""
        return now - self._done_at >= self._interval_s

    def done(self, now: float) -> None:
        """Note that it was done."""
        self._done_at = now

    def take_turn(self, now: float) -> bool:
        """Return whether it is due; it counts as done then."""
        is_due = self.is_due(now)
        if is_due:
            self._done_at = now
        return is_due


class Upkeep:
    """Sync the sink, adopt what dead generations left, give disk back, and say how the output does.

    Used by one thread at a time.
    """

    def __init__(self, settings: OutboxSettings, sink: Sink, folder: OutboxFolder, outflow: Outflow) -> None:
        self._is_synced = settings.synced
        self._sink = sink
        self._folder = folder
        self._outflow = outflow
        self._progress = Progress()
        self._watch = OutputWatch(sink, settings.confirm_timeout_s)
        self._sync = Every(SYNC_S)
        self._adoption = Every(_ADOPT_S)
        self._give_back = Every(_GIVE_BACK_S)

    @property
    def unconfirmed_since(self) -> float | None:
        """Return since when the output confirms nothing; None: it works (any thread)."""
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
        self._progress.say(backlog(), self._outflow.waiting_bytes, now)

    def adopt(self, now: float) -> None:
        """Take over what dead generations left; it goes out before what is this one's own."""
        self._adoption.done(now)
        self._outflow.adopt(self._folder.adopt())
