"""A delivery without an outbox, against which the outbox's cost is measured."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from traptor.common.birth import Birth
from traptor.worker.delivery.latency import Latency
from traptor.worker.delivery.sink import Handed, Sink, Ticket
from traptor.worker.outbox.message import DeliveryCounts, Outgoing
from traptor.worker.outbox.outbox import Batch, Outbox

_SERVE_EVERY = 64


class Unkept:
    """Hands each message to the sink as it comes, and waits for room when there is none."""

    def __init__(self, birth: Birth, sink: Sink) -> None:
        self.counts = DeliveryCounts()
        self.latency = Latency()
        self.has_room = threading.Event()
        self.has_room.set()
        self._sink = sink
        nowhere = Outbox(Path(str(birth.generation)), -1, synced=False, max_bytes=1)
        self._ticket = Ticket(Handed(nowhere, Batch(1, 1, 1), is_adopted=False), 0)

    @property
    def backlog(self) -> int:
        """The number of undelivered messages."""
        return self.counts.accepted - self.counts.delivered

    def open(self) -> None:
        self._sink.open(self)

    def hand_over(self, messages: Sequence[Outgoing]) -> None:
        for message in messages:
            if not self._sink.takes(message):
                continue
            self.counts.accepted += 1
            while not self._sink.send(message, self._ticket):
                self._sink.serve()
            if self.counts.accepted % _SERVE_EVERY == 0:
                self._sink.serve()

    def drain(self, deadline: float) -> int:
        while self.backlog and time.monotonic() < deadline:
            self._sink.serve()
            time.sleep(0.005)
        self._sink.close()
        return self.backlog

    def delivered(self, _ticket: Ticket) -> None:
        self.counts.delivered += 1

    def is_dead(self, _ticket: Ticket) -> None:
        raise AssertionError("refused")

    def came_back(self, _ticket: Ticket) -> None:
        raise AssertionError("not delivered")
