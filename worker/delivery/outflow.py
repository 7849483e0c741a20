"""Move messages out of the outboxes into the sink: live ones, waiting ones, and returned ones."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable, Sequence

from traptor.common.logs.event import fields
from traptor.common.logs.throttle import Tally
from traptor.worker.delivery.latency import Latency
from traptor.worker.delivery.patience import Front
from traptor.worker.delivery.sink import Handed, Sink, Ticket
from traptor.worker.delivery.waiting import WaitingBatches
from traptor.worker.outbox.message import DeliveryCounts, Outgoing
from traptor.worker.outbox.outbox import Batch, Outbox, OutboxError, portions

log = logging.getLogger(__name__)

# Cap the backlog in flight so that live messages are not starved.
_LATE_IN_FLIGHT = 2_000
# Maximum time pump() may hold the lock.
_PUMP_S = 0.02
_TRY_AGAIN_S = 1.0


class _InHand:
    """A batch whose first messages the sink has."""

    def __init__(self, handed: Handed, messages: Sequence[Outgoing]) -> None:
        self.handed = handed
        self.messages = messages
        self.next = 0


class Outflow:
    """Hands batches to the sink, and removes delivered ones from their outbox.

    Used by one thread at a time, including the methods that the sink calls.
    """

    def __init__(self, sink: Sink, counts: DeliveryCounts) -> None:
        self._sources: list[WaitingBatches] = []  # the outboxes, those of earlier generations first
        self._written: set[bytes] = set()  # what the output held when outboxes were adopted last
        self._has_moved = False
        self._sink = sink
        self._counts = counts
        self.latency = Latency()
        self._live: _InHand | None = None
        self._late: _InHand | None = None  # of those that waited
        self._in_flight = 0
        self._out: deque[Handed] = deque()  # batches partly or wholly with the sink, the oldest first
        self._again: deque[Ticket] = deque()
        self._again_at = 0.0
        self._done: dict[Outbox, list[Batch]] = {}
        self._tally = Tally()

    # ---- outboxes

    def add_own(self, source: WaitingBatches) -> None:
        """Add the outbox of this generation, behind all others."""
        self._sources.append(source)

    def adopt(self, outboxes: Iterable[Outbox], written: Iterable[bytes] = ()) -> None:
        """Add the outboxes of earlier generations, behind other such ones and before this one's own.

        Tweets of theirs that the output holds are not `written` again.
        """
        self._written.update(written)
        end = sum(source.is_adopted for source in self._sources)
        now = time.monotonic()
        self._sources[end:end] = [WaitingBatches(outbox, is_adopted=True, now=now) for outbox in outboxes]

    def let_go(self) -> None:
        """Close every outbox, and remove those that are empty."""
        for source in self._sources:
            if source.outbox.messages:
                source.outbox.close()
            else:
                source.outbox.delete()
        self._sources = []

    @property
    def backlog(self) -> int:
        """The number of messages in the outboxes."""
        return sum(source.outbox.messages for source in self._sources)

    # ---- movement

    def begin_step(self) -> None:
        """Forget what has moved before."""
        self._has_moved = False

    @property
    def has_moved(self) -> bool:
        """True when the sink took a message, or reported one, since the step began."""
        return self._has_moved

    @property
    def has_late(self) -> bool:
        """True when batches wait for their turn."""
        return self._late is not None or any(self._sources)

    @property
    def is_busy(self) -> bool:
        """True when messages are in flight, or still have to leave their outbox."""
        return bool(self._in_flight or self._done or self._again) or self._live is not None

    @property
    def waiting_bytes(self) -> int:
        """The number of bytes waiting on disk."""
        return sum(source.outbox.bytes for source in self._sources)

    def front(self) -> Front | None:
        """Return the oldest batch that the sink has, or has no room for; None when none waits for it."""
        while self._out and not self._out[0].left:
            self._out.popleft()
        if self._out:
            return Front(self._out[0], self._out[0].left)
        for hand in (self._late, self._live):
            if hand is not None:
                return Front(hand.handed, hand.handed.left)
        return None

    def oldest_at(self) -> float | None:
        """Return about when the oldest undelivered message was put into an outbox, or found there."""
        front = self.front()
        handed = [front.batch.at] if front is not None and isinstance(front.batch, Handed) else []
        return min([*handed, *(at for one in self._sources if (at := one.since) is not None)], default=None)

    def begin(
        self,
        source: WaitingBatches,
        batch: Batch,
        messages: Sequence[Outgoing],
        received_at: float | None = None,
    ) -> None:
        """Take a batch that was just put into its outbox: as live, or behind waiting ones."""
        now = time.monotonic()
        if self._live is None:
            since = now if received_at is None else received_at
            handed = Handed(source.outbox, batch, is_adopted=False, at=now, received_at=since)
            self._live = _InHand(handed, messages)
        else:
            source.add(batch, now)

    def pump(self) -> None:
        """Give the sink what it has room for: returned messages, then live ones, then waiting ones."""
        self._sink.serve()
        until = time.monotonic() + _PUMP_S
        self._send_again()
        if self._live is not None and self._hand_on(self._live):
            self._live = None
        while self._in_flight < _LATE_IN_FLIGHT and time.monotonic() < until:
            if self._late is None:
                self._late = self._next_late()
            if self._late is None or not self._hand_on(self._late):
                return
            self._late = None

    def done(self, outbox: Outbox) -> Sequence[Batch]:
        """Return a portion of the delivered batches that are still in this outbox."""
        return next(portions(self._done.get(outbox, ())), ())

    def forget_done(self, outbox: Outbox, portion: Sequence[Batch]) -> None:
        """Record that the portion has left the outbox."""
        if rest := self._done.get(outbox, [])[len(portion) :]:
            self._done[outbox] = rest
        else:
            self._done.pop(outbox, None)

    def remove_done(self) -> None:
        """Remove delivered batches from the outboxes, and the outboxes of others that are empty then."""
        for outbox in list(self._done):
            try:
                while portion := self.done(outbox):
                    outbox.remove(portion)
                    self.forget_done(outbox, portion)
            except OutboxError as error:
                self._remove_as_a_whole(outbox, error)
        for source in [one for one in self._sources if one.is_adopted and not one.outbox.messages]:
            self._sources.remove(source)
            source.outbox.delete()
        if self._written and not any(source.is_adopted for source in self._sources):
            self._written = set()

    def give_back(self) -> None:
        """Return unused disk space of the outboxes."""
        for source in self._sources:
            source.outbox.give_back()

    def _remove_as_a_whole(self, outbox: Outbox, error: OutboxError) -> None:
        """Empty an outbox from which nothing can be removed singly, once everything in it is delivered."""
        if sum(batch.size for batch in self._done[outbox]) < outbox.messages:
            self._say_unusable(error)
            return
        try:
            outbox.clear()
        except OSError:
            self._say_unusable(error)
        else:
            del self._done[outbox]

    # ---- called by the sink

    def delivered(self, ticket: Ticket) -> None:
        """Count the message as delivered, and let it leave the outbox."""
        if ticket.handed.is_adopted:
            self._counts.redelivered += 1
        else:
            self._counts.delivered += 1
        self._settle(ticket)

    def is_dead(self, ticket: Ticket) -> None:
        """Count the message as a dead letter, and let it leave the outbox."""
        self._counts.dead_letters += 1
        self._settle(ticket)

    def came_back(self, ticket: Ticket) -> None:
        """Send the message again soon."""
        ticket.handed.is_repeated = True
        self._in_flight -= 1
        if not self._again:
            self._again_at = time.monotonic() + _TRY_AGAIN_S
        self._again.append(ticket)

    # ---- steps

    def _hand_on(self, hand: _InHand) -> bool:
        """Hand on the rest of the batch; return whether the sink has all of it now."""
        while hand.next < len(hand.messages):
            if not self._hand(hand.messages[hand.next], Ticket(hand.handed, hand.next)):
                return False
            if not hand.next:
                self._out.append(hand.handed)
            hand.next += 1
        return True

    def _hand(self, message: Outgoing, ticket: Ticket) -> bool:
        self._in_flight += 1  # before: the sink may report the result at once
        if ticket.handed.is_adopted and message.tweet_id is not None and message.body in self._written:
            self.delivered(ticket)  # and its generation died before it could take it from its outbox
            return True
        if self._sink.send(message, ticket):
            self._has_moved = True
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
                    self._say_unusable(error)
                    return
            if not self._hand(messages[ticket.position], ticket):
                return
            self._again.popleft()
        self._again_at = time.monotonic() + _TRY_AGAIN_S  # for messages returned meanwhile

    def _next_late(self) -> _InHand | None:
        """Return the next batch that waited; those of earlier generations come first."""
        for waiting in self._sources:
            try:
                since = waiting.since
                if (batch := waiting.next()) is not None:
                    received_at = None if waiting.is_adopted else since
                    handed = Handed(
                        waiting.outbox,
                        batch,
                        is_adopted=waiting.is_adopted,
                        at=since or 0.0,
                        received_at=received_at,
                    )
                    return _InHand(handed, waiting.outbox.read(batch))
            except OutboxError as error:
                self._say_unusable(error)
        return None

    def _settle(self, ticket: Ticket) -> None:
        self._has_moved = True
        self._in_flight -= 1
        handed = ticket.handed
        handed.left -= 1
        if not handed.left:
            if handed.received_at is not None:  # of the batch at once: one look at the clock for all
                self.latency.add(time.monotonic() - handed.received_at, handed.batch.size)
            self._done.setdefault(handed.outbox, []).append(handed.batch)

    def _say_unusable(self, error: OutboxError) -> None:
        if count := self._tally.add("unusable"):
            log.error("the outbox cannot be used", extra=fields(error=str(error), count=count))
