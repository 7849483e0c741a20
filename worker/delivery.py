"""From the pipeline to the sink by way of the outbox: nothing is lost, whatever ends this process.

A message is in the outbox before the sink is asked to deliver it, and leaves it when it is delivered. For
that the messages of some milliseconds are committed as one batch, by the thread that brings them or, when the
stream is quiet, by a small one of this module. What the sink has no room for waits on disk; once it has, that
goes out in order, with the live messages in between.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from traptor.common.birth import Birth
from traptor.common.logs import fields, lifecycle
from traptor.common.mark import Mark
from traptor.worker.outbox import Batch, Outbox, OutboxError
from traptor.worker.outboxfolder import OutboxFolder
from traptor.worker.outgoing import DeliveryCounts, Outgoing
from traptor.worker.progress import Progress
from traptor.worker.sink import Sink
from traptor.worker.tally import Tally
from traptor.worker.tickets import Handed, Ticket
from traptor.worker.waiting import Waiting

log = logging.getLogger(__name__)

COMMIT_S = 0.025
_BATCH_MESSAGES = 256
_BATCH_BYTES = 1 << 20
# Of what waited so much at most is with the sink at once, so that live messages find room.
_BACKLOG_IN_FLIGHT = 2_000
# So long at most the thread keeps the lock from who brings live messages.
_PUMP_S = 0.02
_BUSY_PAUSE_S = 0.005
_WATCH_PAUSE_S = 0.05
_IDLE_PAUSE_S = 1.0
_SYNC_S = 0.1
_ADOPT_S = 2.0
_TRY_AGAIN_S = 1.0
# A full outbox has room again when this share of it is used.
_ROOM_SHARE = 0.9


class _InHand:
    """A batch of which the sink has the first messages."""

    def __init__(self, handed: Handed, messages: Sequence[Outgoing]) -> None:
        self.handed = handed
        self.messages = messages
        self.next = 0


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
        self._lock = threading.RLock()
        self._batch: list[Outgoing] = []
        self._batch_bytes = 0
        self._batch_since = 0.0
        self._own: Waiting | None = None
        self._adopted: list[Waiting] = []
        self._live: _InHand | None = None
        self._late: _InHand | None = None  # of what waited
        self._in_flight = 0
        self._again: deque[Ticket] = deque()
        self._again_at = 0.0
        self._moves = False  # since the thread's last look the sink took a message, or told of one
        self._done: dict[Outbox, list[Batch]] = {}
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
        self._adopt()
        self._update_room()
        self.reaches_since = time.monotonic()
        self._sink.open(self)
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
        return len(self._batch) + sum(one.outbox.messages for one in self._outboxes())

    @property
    def outbox_bytes(self) -> int:
        """What waits on disk."""
        return sum(one.outbox.bytes for one in self._outboxes())

    def collected_until(self) -> float:
        """Until when all that came over the stream is delivered or in the outbox (monotonic)."""
        came_until = self.came_until()
        return min(came_until, self._batch_since) if self._batch else came_until

    # ---- what the sink calls, with the lock held

    def delivered(self, ticket: Ticket) -> None:
        """Count it, and have it leave the outbox."""
        if ticket.handed.outbox is self._own_outbox:
            self.counts.delivered += 1
        else:
            self.counts.redelivered += 1
        self._settle(ticket)

    def is_dead(self, ticket: Ticket) -> None:
        """Count it, and have it leave the outbox."""
        self.counts.dead_letters += 1
        self._settle(ticket)

    def came_back(self, ticket: Ticket) -> None:
        """Send it again, soon."""
        ticket.handed.is_repeated = True
        self._in_flight -= 1
        if not self._again:
            self._again_at = time.monotonic() + _TRY_AGAIN_S
        self._again.append(ticket)

    # ---- into the outbox

    def _gather(self, message: Outgoing) -> None:
        now = time.monotonic()
        if not self._batch:
            self._batch_since = now
            self._bell.set()
        self._batch.append(message)
        self._batch_bytes += len(message.body)
        if (
            len(self._batch) >= _BATCH_MESSAGES
            or self._batch_bytes >= _BATCH_BYTES
            or now - self._batch_since >= COMMIT_S
        ):
            self._step()

    def _commit(self) -> None:
        """Keep the batch and hand it on."""
        if not self._batch or time.monotonic() < self._cannot_keep_until:
            return
        outbox, messages = self._own_outbox, self._batch
        try:
            batch = outbox.put(messages, self._done.get(outbox, ()))
        except OutboxError as error:
            self._cannot_keep(error)
            return
        self._done.pop(outbox, None)
        self._removed_at = time.monotonic()
        self._batch, self._batch_bytes = [], 0
        self._can_keep()
        if self._live is None:
            self._live = _InHand(Handed(outbox, batch, is_repeated=False), messages)
        else:
            assert self._own is not None
            self._own.add(batch)

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

    # ---- out of it

    def _step(self) -> None:
        """Commit what is due, and move what can be moved."""
        self._commit()
        self._mark()
        self._sink.serve()
        self._pump()
        self._remove_done()
        self._update_room()

    def _pump(self) -> None:
        until = time.monotonic() + _PUMP_S
        self._send_again()
        if self._live is not None and self._hand_on(self._live):
            self._live = None
        while self._in_flight < _BACKLOG_IN_FLIGHT and time.monotonic() < until:
            if self._late is None:
                self._late = self._next_late()
            if self._late is None or not self._hand_on(self._late):
                return
            self._late = None

    def _hand_on(self, hand: _InHand) -> bool:
        """Whether the sink has all of it now."""
        while hand.next < len(hand.messages):
            if not self._hand(hand.messages[hand.next], Ticket(hand.handed, hand.next)):
                return False
            hand.next += 1
        return True

    def _hand(self, message: Outgoing, ticket: Ticket) -> bool:
        self._in_flight += 1  # before: the sink may tell at once what became of it
        if self._sink.send(message, ticket):
            self._moves = True
            return True
        self._in_flight -= 1
        return False

    def _send_again(self) -> None:
        if not self._again or time.monotonic() < self._again_at:
            return
        messages: tuple[Outgoing, ...] = ()
        of: Handed | None = None
        for _ in range(len(self._again)):
            ticket = self._again[0]
            if ticket.handed is not of:
                try:
                    of, messages = ticket.handed, ticket.handed.outbox.read(ticket.handed.batch)
                except OutboxError as error:
                    self._say_unreadable(error)
                    return
            if not self._hand(messages[ticket.position], ticket):
                return
            self._again.popleft()
        self._again_at = time.monotonic() + _TRY_AGAIN_S  # for what came back meanwhile

    def _next_late(self) -> _InHand | None:
        """The next batch that waited: what earlier generations left comes first."""
        for waiting in self._outboxes():
            try:
                if (batch := waiting.next()) is not None:
                    handed = Handed(waiting.outbox, batch, is_repeated=waiting.is_adopted)
                    return _InHand(handed, waiting.outbox.read(batch))
            except OutboxError as error:
                self._say_unreadable(error)
        return None

    def _settle(self, ticket: Ticket) -> None:
        self._moves = True
        self._in_flight -= 1
        handed = ticket.handed
        handed.left -= 1
        if not handed.left:
            self._done.setdefault(handed.outbox, []).append(handed.batch)

    def _remove_done(self) -> None:
        """Take out what is delivered, where no commit does it by the way."""
        now = time.monotonic()
        if now - self._removed_at < COMMIT_S and not self._ended.is_set():
            return
        self._removed_at = now
        for outbox in list(self._done):
            try:
                outbox.remove(self._done[outbox])
            except OutboxError as error:
                self._say_unreadable(error)
                return
            del self._done[outbox]
        for waiting in [one for one in self._adopted if not one.outbox.messages]:
            self._adopted.remove(waiting)
            waiting.outbox.delete()

    def _say_unreadable(self, error: OutboxError) -> None:
        if count := self._tally.add("unreadable"):
            log.error("the outbox cannot be used", extra=fields(error=str(error), count=count))

    # ---- what else there is to do now and then

    def _run(self) -> None:
        while not self._ended.is_set():
            if not self._batch:
                self._bell.wait(self._pause_s())
                self._bell.clear()
            if self._batch:
                self._ended.wait(COMMIT_S)  # let it fill
            now = time.monotonic()
            # Who brings many messages commits them: a young batch then means that this was just done.
            is_due = not self._batch or now - self._batch_since >= COMMIT_S
            if is_due or now - self._looked_around_at >= _IDLE_PAUSE_S:
                with self._lock:
                    self._moves = False
                    self._step()
                    self._look_around(now)

    def _pause_s(self) -> float:
        if self._has_late():
            return _BUSY_PAUSE_S if self._moves else _WATCH_PAUSE_S
        if self._in_flight or self._done or self._again or self._live is not None:
            return _WATCH_PAUSE_S
        return _SYNC_S if self._settings.synced else _IDLE_PAUSE_S

    def _has_late(self) -> bool:
        return self._late is not None or any(self._outboxes())

    def _look_around(self, now: float) -> None:
        self._looked_around_at = now
        if self._settings.synced and now - self._synced_at >= _SYNC_S:
            self._synced_at = now
            self._sink.sync()
        if now - self._adopted_at >= _ADOPT_S:
            self._adopt()
        self._progress.say(self.backlog, self.outbox_bytes, now)

    def _adopt(self) -> None:
        self._adopted_at = time.monotonic()
        self._adopted += [Waiting(outbox, is_adopted=True) for outbox in self._folder.adopt()]

    def _mark_when_due(self) -> None:
        if time.monotonic() - self._marked_at >= COMMIT_S:
            self._mark()

    def _mark(self) -> None:
        self._marked_at = time.monotonic()
        mono = self.collected_until()
        if mono and self._own is not None:
            self._own_outbox.mark(Mark(time.time() - (time.monotonic() - mono), mono, self._stream_since))

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
        for waiting in self._outboxes():
            if waiting.outbox.messages:
                waiting.outbox.close()
            else:
                waiting.outbox.delete()
        self._own, self._adopted = None, []
        return left

    def _outboxes(self) -> list[Waiting]:
        return self._adopted + ([self._own] if self._own is not None else [])

    @property
    def _own_outbox(self) -> Outbox:
        assert self._own is not None
        return self._own.outbox
