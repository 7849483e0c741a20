"""From the pipeline to the sink by way of the outbox: nothing is lost, whatever ends this process.

A message is in the outbox before the sink is asked to deliver it, and leaves it when it is delivered. For
that the messages of some milliseconds are committed as one batch, by the thread that brings them or, when the
stream is quiet, by a small one of this module. What the sink has no room for waits on disk; once it has, that
goes out in order, with the live messages in between (worker/delivery/outflow.py).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

from traptor.common.birth import Birth
from traptor.common.errors import ExitCode
from traptor.common.logs.event import fields, lifecycle
from traptor.common.logs.throttle import Tally
from traptor.common.mark import Mark
from traptor.worker.delivery.folder import OutboxFolder
from traptor.worker.delivery.message import DeliveryCounts, Outgoing
from traptor.worker.delivery.outbox import OutboxError
from traptor.worker.delivery.outflow import Outflow
from traptor.worker.delivery.progress import Progress
from traptor.worker.delivery.sink import Sink
from traptor.worker.delivery.waiting import Waiting

log = logging.getLogger(__name__)

COMMIT_S = 0.025
_BATCH_MESSAGES = 256
_BATCH_BYTES = 1 << 20
_BUSY_PAUSE_S = 0.005
_WATCH_PAUSE_S = 0.05
_IDLE_PAUSE_S = 1.0
_SYNC_S = 0.1
_ADOPT_S = 2.0
_TRY_AGAIN_S = 1.0
# A full outbox has room again when this share of it is used.
_ROOM_SHARE = 0.9


class Delivery:
    """Takes the messages of one generation, and those that earlier ones left, and delivers them.

    `came_until` tells until when all that came over the stream was given to `send`; 0: nothing ever came.
    """

    def __init__(self, birth: Birth, sink: Sink) -> None:
        settings = birth.settings.outbox
        self.counts = DeliveryCounts()
        self.came_until: Callable[[], float] = lambda: 0.0
        self.has_room = threading.Event()
        self.reaches_since: float | None = None  # since when `open` waits for the output (any thread)
        self._sink = sink
        self._settings = settings
        self._folder = OutboxFolder(birth)
        self._outflow = Outflow(sink, self.counts)
        self._lock = threading.RLock()
        self._own: Waiting | None = None
        self._batch: list[Outgoing] = []
        self._batch_bytes = 0
        self._batch_since = 0.0
        self._safe_before_batch = 0.0  # what came until then was given to `send` before the batch began
        self._cannot_keep_until = 0.0
        self._is_kept = True
        self._synced_at = 0.0
        self._adopted_at = 0.0
        self._looked_around_at = 0.0
        self._removed_at = 0.0
        self._marked_at = 0.0
        self._stream_since = 0.0
        self._progress = Progress()
        self._tally = Tally()
        self._bell = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)

    # ---- who brings messages

    def open(self) -> None:
        """Make the outbox, take over those that were left, and reach the output. Raises SinkError."""
        self._own = Waiting(self._folder.create(), is_adopted=False)
        self._outflow.sources = [self._own]
        self._adopt()
        self._update_room()
        self.reaches_since = time.monotonic()
        self._sink.open(self._outflow)
        self.reaches_since = None
        self._thread.start()

    def stream_opened(self) -> None:
        """What comes from now on comes over a new stream."""
        self._stream_since = time.monotonic()

    def send(self, message: Outgoing) -> None:
        """Take a message; it never waits. Where it cannot be kept, `has_room` is cleared: bring no more."""
        with self._lock:
            if not self._sink.takes(message):
                return
            self.counts.accepted += 1
            if not self._batch and self._sink.deliver_at_once(message):
                self.counts.delivered += 1
                self._mark_when_due()
            else:
                self._gather(message)

    def keep(self) -> bool:
        """Commit what was gathered; False when that cannot be done now, and a sudden end would lose it."""
        with self._lock:
            self._commit()
            return not self._batch

    def drain(self, deadline: float) -> int:
        """Deliver until `deadline` (monotonic) and let go; how many messages are left for others."""
        self._ended.set()
        self._bell.set()
        if self._thread.ident is not None:
            self._thread.join()
        with self._lock:
            while self.backlog and time.monotonic() < deadline:
                self._step()
                time.sleep(_BUSY_PAUSE_S)
            self._commit()
            self._sink.close()
            return self._leave()

    # ---- any thread

    def stop_waiting(self) -> None:
        """End the wait of `open` for the output."""
        self._sink.stop_waiting()

    @property
    def backlog(self) -> int:
        """Messages that are not yet delivered, with those that earlier generations left."""
        return len(self._batch) + sum(one.outbox.messages for one in self._outflow.sources)

    @property
    def outbox_bytes(self) -> int:
        """What waits on disk."""
        return sum(one.outbox.bytes for one in self._outflow.sources)

    def collected_until(self) -> float:
        """Return the time (monotonic) up to which all that came is delivered or in the outbox.

        What is gathered is not: it came after `came_until` as it was when the batch began, however much later
        it was handled.
        """
        came_until = self.came_until()
        return min(came_until, self._safe_before_batch) if self._batch else came_until

    # ---- into the outbox

    def _gather(self, message: Outgoing) -> None:
        now = time.monotonic()
        if not self._batch:
            self._batch_since, self._safe_before_batch = now, self.came_until()
            self._bell.set()
        self._batch.append(message)
        self._batch_bytes += len(message.body)
        if (
            len(self._batch) >= _BATCH_MESSAGES
            or self._batch_bytes >= _BATCH_BYTES
            or now - self._batch_since >= COMMIT_S
        ):
            self._step()

    def _step(self) -> None:
        """Commit what is due, and move what can be moved."""
        self._commit()
        self._mark()
        self._outflow.pump()
        self._remove_done()
        self._update_room()

    def _commit(self) -> None:
        """Keep the batch, and let it go out."""
        own = self._own
        if own is None or not self._batch or time.monotonic() < self._cannot_keep_until:
            return
        try:
            batch = own.outbox.put(self._batch, self._outflow.done(own.outbox))
        except OutboxError as error:
            self._cannot_keep(error)
            return
        self._outflow.forget_done(own.outbox)
        self._removed_at = time.monotonic()
        self._outflow.begin(own, batch, self._batch)
        self._batch, self._batch_bytes = [], 0
        self._can_keep()

    def _cannot_keep(self, error: OutboxError) -> None:
        self._cannot_keep_until = time.monotonic() + _TRY_AGAIN_S
        self._is_kept = False
        if count := self._tally.add("not kept"):
            about = fields(error=str(error), in_memory=len(self._batch), count=count)
            log.error("the outbox cannot be written", extra=about)

    def _can_keep(self) -> None:
        if not self._is_kept:
            self._is_kept = True
            log.warning("the outbox can be written again", extra=lifecycle())

    def _remove_done(self) -> None:
        """Have what is delivered leave the outbox, where no commit does it by the way."""
        now = time.monotonic()
        if now - self._removed_at < COMMIT_S and not self._ended.is_set():
            return
        self._removed_at = now
        self._outflow.remove_done()
        for source in [one for one in self._outflow.sources if one.is_adopted and not one.outbox.messages]:
            self._outflow.sources.remove(source)
            source.outbox.delete()

    # ---- what else there is to do now and then

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                self._wait_for_work()
                now = time.monotonic()
                # Who brings many messages commits them: a young batch then means that this was just done.
                is_due = not self._batch or now - self._batch_since >= COMMIT_S
                if is_due or now - self._looked_around_at >= _IDLE_PAUSE_S:
                    with self._lock:
                        self._outflow.has_moved = False
                        self._step()
                        self._look_around(now)
        except Exception:
            log.critical("the delivery failed", exc_info=True)
            os._exit(ExitCode.FAILURE)  # what is in the outbox is safe; the next generation goes on with it

    def _wait_for_work(self) -> None:
        if not self._batch:
            self._bell.wait(self._pause_s())
            self._bell.clear()
        if self._batch:
            self._ended.wait(COMMIT_S)  # let it fill

    def _pause_s(self) -> float:
        if self._outflow.has_late:
            return _BUSY_PAUSE_S if self._outflow.has_moved else _WATCH_PAUSE_S
        if self._outflow.is_busy:
            return _WATCH_PAUSE_S
        return _SYNC_S if self._settings.synced else _IDLE_PAUSE_S

    def _look_around(self, now: float) -> None:
        self._looked_around_at = now
        if self._settings.synced and now - self._synced_at >= _SYNC_S:
            self._synced_at = now
            self._sink.sync()
        if now - self._adopted_at >= _ADOPT_S:
            self._adopt()
        self._progress.say(self.backlog, self.outbox_bytes, now)

    def _adopt(self) -> None:
        """Take over what dead generations left; it goes out before what is this one's own."""
        self._adopted_at = time.monotonic()
        sources = self._outflow.sources
        sources[-1:-1] = [Waiting(outbox, is_adopted=True) for outbox in self._folder.adopt()]

    def _mark_when_due(self) -> None:
        if time.monotonic() - self._marked_at >= COMMIT_S:
            self._mark()

    def _mark(self) -> None:
        self._marked_at = time.monotonic()
        mono = self.collected_until()
        if mono and self._own is not None:
            now = time.monotonic()
            mark = Mark(time.time() - (now - mono), mono, self._stream_since)
            self._own.outbox.mark(mark)

    def _update_room(self) -> None:
        most = self._settings.max_bytes
        if not self._is_kept or self.outbox_bytes >= most:
            self.has_room.clear()
        elif not self.has_room.is_set() and self.outbox_bytes <= _ROOM_SHARE * most:
            self.has_room.set()

    def _leave(self) -> int:
        """Close every outbox, and remove those that are empty."""
        self._remove_done()
        left = self.backlog
        if self._batch:
            log.critical(
                "messages are lost: the outbox could not be written", extra=fields(count=len(self._batch))
            )
        for source in self._outflow.sources:
            if source.outbox.messages:
                source.outbox.close()
            else:
                source.outbox.delete()
        self._own, self._outflow.sources = None, []
        return left
