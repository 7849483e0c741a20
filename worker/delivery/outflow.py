"""Move messages out of the outboxes into the sink: live ones, what waited, and what came back."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable, Sequence

from traptor.common.logs.event import fields
from traptor.common.logs.throttle import Tally
from traptor.worker.delivery.patience import Front
from traptor.worker.delivery.sink import Handed, Sink, Ticket
from traptor.worker.delivery.waiting import Waiting
from traptor.worker.outbox.message import DeliveryCounts, Outgoing
from traptor.worker.outbox.outbox import Batch, Outbox, OutboxError, portions

log = logging.getLogger(__name__)

# Cap the backlog in flight so that live messages are not starved.
_LATE_IN_FLIGHT = 2_000
# Maximum time pump() may hold the lock.
_PUMP_S = 0.02
_TRY_AGAIN_S = 1.0


class _InHand:
    """Hold a batch of which the sink has the first messages."""

    def __init__(self, handed: Handed, messages: Sequence[Outgoing]) -> None:
        self.handed = handed
        self.messages = messages
        self.next = 0


class Outflow:
    """Hand batches to the sink, and have those leave their outbox that are delivered.

    Used by one thread at a time, and so are its methods that the sink calls.
    """

    def __init__(self, sink: Sink, counts: DeliveryCounts) -> None:
        self._sources: list[Waiting] = []  # the outboxes, those of earlier generations first
        self._has_moved = False
        self._sink = sink
        self._counts = counts
        self._live: _InHand | None = None
        self._late: _InHand | None = None  # of what waited
        self._in_flight = 0
        self._out: deque[Handed] = deque()  # of which the sink has got messages, the oldest first
        self._again: deque[Ticket] = deque()
        self._again_at = 0.0
        self._done: dict[Outbox, list[Batch]] = {}
        self._tally = Tally()

    # ---- its outboxes

    def add_own(self, source: Waiting) -> None:
        """Take the outbox of this generation, behind all others."""
        self._sources.append(source)

    def adopt(self, outboxes: Iterable[Outbox]) -> None:
        """Take the outboxes of earlier generations, behind those of others and before this one's own."""
        end = sum(source.is_adopted for source in self._sources)
        self._sources[end:end] = [Waiting(outbox, is_adopted=True) for outbox in outboxes]

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
        """Return how many messages are in the outboxes."""
        return sum(source.outbox.messages for source in self._sources)

    # ---- how it moves

    def begin_step(self) -> None:
        """Forget what has moved before."""
        self._has_moved = False

    @property
    def has_moved(self) -> bool:
        """Return whether the sink took a message, or told of one, since the step began."""
        return self._has_moved

    @property
    def has_late(self) -> bool:
        """Return whether batches wait for their turn."""
        return self._late is not None or any(self._sources)

    @property
    def is_busy(self) -> bool:
        """Return whether messages are on their way, or have still to leave their outbox."""
        return bool(self._in_flight or self._done or self._again) or self._live is not None

    @property
    def waiting_bytes(self) -> int:
        """Return how many bytes wait on disk."""
        return sum(source.outbox.bytes for source in self._sources)

    def front(self) -> Front | None:
        """Return the oldest batch that the sink has, or has no room for; None where nothing waits for it."""
        while self._out and not self._out[0].left:
            self._out.popleft()
        if self._out:
            return Front(self._out[0], self._out[0].left)
        for hand in (self._late, self._live):
            if hand is not None:
                return Front(hand.handed, hand.handed.left)
        return None

    def begin(self, source: Waiting, batch: Batch, messages: Sequence[Outgoing]) -> None:
        """Take a batch that was just put into its outbox: as live, or behind what waits there."""
        if self._live is None:
            self._live = _InHand(Handed(source.outbox, batch, is_adopted=False), messages)
        else:
            source.add(batch)

    def pump(self) -> None:
        """Hand to the sink what it has room for: what came back, then live messages, then what waited."""
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
        """Return a portion of the batches that are delivered and still in this outbox."""
        return next(portions(self._done.get(outbox, ())), ())

    def forget_done(self, outbox: Outbox, portion: Sequence[Batch]) -> None:
        """Note that the portion has left it."""
        if rest := self._done.get(outbox, [])[len(portion) :]:
            self._done[outbox] = rest
        else:
            self._done.pop(outbox, None)

    def remove_done(self) -> None:
        """Take out of the outboxes what is delivered, and remove those of others that are empty then."""
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

    def give_back(self) -> None:
        """Give the disk what the outboxes take there and do not need."""
        for source in self._sources:
            source.outbox.give_back()

    def _remove_as_a_whole(self, outbox: Outbox, error: OutboxError) -> None:
        """Empty an outbox that nothing can leave by itself, once all in it is delivered."""
        if sum(batch.size for batch in self._done[outbox]) < outbox.messages:
            self._say_unusable(error)
            return
        try:
            outbox.clear()
        except OSError:
            self._say_unusable(error)
        else:
            del self._done[outbox]

    # ---- what the sink calls

    def delivered(self, ticket: Ticket) -> None:
        """Count it, and have it leave the outbox."""
        if ticket.handed.is_adopted:
            self._counts.redelivered += 1
        else:
            self._counts.delivered += 1
        self._settle(ticket)

    def is_dead(self, ticket: Ticket) -> None:
        """Count it, and have it leave the outbox."""
        self._counts.dead_letters += 1
        self._settle(ticket)

    def came_back(self, ticket: Ticket) -> None:
        """Send it again, soon."""
        ticket.handed.is_repeated = True
        self._in_flight -= 1
        if not self._again:
            self._again_at = time.monotonic() + _TRY_AGAIN_S
        self._again.append(ticket)

    # ---- steps

    def _hand_on(self, hand: _InHand) -> bool:
        """Hand on what is left of it; return whether the sink has all of it now."""
        while hand.next < len(hand.messages):
            if not self._hand(hand.messages[hand.next], Ticket(hand.handed, hand.next)):
                return False
            if not hand.next:
                self._out.append(hand.handed)
            hand.next += 1
        return True

    def _hand(self, message: Outgoing, ticket: Ticket) -> bool:
        self._in_flight += 1  # before: the sink may tell at once what became of it
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
        self._again_at = time.monotonic() + _TRY_AGAIN_S  # for what came back meanwhile

    def _next_late(self) -> _InHand | None:
        """Return the next batch that waited: what earlier generations left comes first."""
        for waiting in self._sources:
            try:
                if (batch := waiting.next()) is not None:
                    handed = Handed(waiting.outbox, batch, is_adopted=waiting.is_adopted)
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
            self._done.setdefault(handed.outbox, []).append(handed.batch)

    def _say_unusable(self, error: OutboxError) -> None:
        if count := self._tally.add("unusable"):
            log.error("the outbox cannot be used", extra=fields(error=str(error), count=count))
