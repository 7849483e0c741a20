"""A sink that does what a test says: it has room or not, and delivers, refuses or returns what it took."""

from __future__ import annotations

import queue
from collections import Counter
from collections.abc import Sequence

from traptor.worker.delivery.sink import Results, Ticket
from traptor.worker.outbox.message import Outgoing


class GateSink:
    """Holds what it was sent until it is told what becomes of it, unless `confirms`.

    `room` is how many messages it may hold.
    """

    def __init__(self, *, room: int = 1_000_000, confirms: bool = True) -> None:
        self.room = room
        self.confirms = confirms
        self.is_line_sink = False
        self.sent: list[str] = []  # ids, in order, each time that they were sent
        self.repeated: set[str] = set()  # sent as such that may have been delivered before
        self.delivered: Counter[str] = Counter()
        self.together: list[list[str]] = []  # ids of those delivered at once, as they came together
        self.dead: set[str] = set()
        self.not_in_outbox: list[str] = []
        self.syncs = 0
        self.trouble = ""
        self.unconfirmed: list[float] = []  # each time that it was told so
        self._held: list[tuple[Outgoing, Ticket]] = []
        self._told: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()

    def open(self, results: Results) -> None:
        self._results = results

    def takes(self, message: Outgoing) -> bool:
        return message.tweet_id is not None

    def may_deliver_at_once(self, _messages: Sequence[Outgoing]) -> bool:
        return self.is_line_sink and self.room > 0

    def deliver_at_once(self, messages: Sequence[Outgoing]) -> bool:
        self.together.append([message.tweet_id or "" for message in messages])
        self.delivered.update(self.together[-1])
        return True

    def send(self, message: Outgoing, ticket: Ticket) -> bool:
        if len(self._held) >= self.room:
            return False
        name, handed = message.tweet_id or "", ticket.handed
        if handed.outbox.read(handed.batch)[ticket.position] != message:
            self.not_in_outbox.append(name)
        self.sent.append(name)
        if handed.is_repeated:
            self.repeated.add(name)
        self._held.append((message, ticket))
        return True

    def tell(self, count: int, outcome: str = "delivered") -> None:
        """Have the next `serve` tell this of so many messages, the oldest first (any thread)."""
        self._told.put((count, outcome))

    def last_written(self) -> Sequence[bytes]:
        return ()

    def serve(self) -> None:
        while not self._told.empty():
            self._settle(*self._told.get())
        if self.confirms:
            self._settle(len(self._held), "delivered")

    def confirms_none(self, since: float) -> None:
        self.unconfirmed.append(since)

    def sync(self) -> None:
        self.syncs += 1

    def stop_waiting(self) -> None:
        pass

    def close(self) -> None:
        self._held.clear()

    def _settle(self, count: int, outcome: str) -> None:
        told, self._held = self._held[:count], self._held[count:]
        for message, ticket in told:
            if outcome == "delivered":
                self.delivered[message.tweet_id or ""] += 1
            elif outcome == "is_dead":
                self.dead.add(message.tweet_id or "")
            getattr(self._results, outcome)(ticket)
