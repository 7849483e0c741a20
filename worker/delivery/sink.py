"""Define what a sink promises, what comes with each message, and whom it tells what became of it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from traptor.worker.outbox.message import Outgoing
from traptor.worker.outbox.outbox import Batch, Outbox


class Handed:
    """Hold a batch of an outbox whose messages are on their way."""

    __slots__ = ("batch", "is_adopted", "is_repeated", "left", "outbox")

    def __init__(self, outbox: Outbox, batch: Batch, *, is_adopted: bool) -> None:
        self.outbox = outbox
        self.batch = batch
        self.left = batch.size  # messages that are neither delivered nor dead letters yet
        self.is_adopted = is_adopted  # an earlier generation left them
        self.is_repeated = is_adopted  # they may have been delivered before


class Ticket(NamedTuple):
    """Say which message of which batch it is."""

    handed: Handed
    position: int  # of the message in the batch


class Results(Protocol):
    """Take in what became of messages, never from two threads at once."""

    def delivered(self, ticket: Ticket) -> None:
        """Note that it was written, or confirmed by the output."""

    def is_dead(self, ticket: Ticket) -> None:
        """Note that it was refused for good, and put aside for the operator."""

    def came_back(self, ticket: Ticket) -> None:
        """Note that it was not delivered now, or that this is not known: it is to be sent again."""


class Sink(Protocol):
    """Deliver messages, and tell what becomes of each; used by one thread at a time."""

    def open(self, results: Results) -> None:
        """Reach the output, or begin to: it may be away. Raises SinkError, which says what to do."""

    def takes(self, message: Outgoing) -> bool:
        """Return whether messages of this kind are delivered at all."""

    def deliver_at_once(self, message: Outgoing) -> bool:
        """Deliver a message for good right now; False where that cannot be: nothing has happened then."""

    def send(self, message: Outgoing, ticket: Ticket) -> bool:
        """Take a message and tell later what became of it; False when there is no room for it now."""

    def serve(self) -> None:
        """Tell what has become of messages. To be called again and again."""

    def confirms_none(self, since: float) -> None:
        """Take in that nothing of the oldest messages is confirmed since then, and do what may help.

        To be told again and again, at least every two seconds, while it is so.
        """

    def sync(self) -> None:
        """Have what was delivered survive a power cut, as far as that is this host's business."""

    def stop_waiting(self) -> None:
        """End the wait of `open` now (any thread)."""

    def close(self) -> None:
        """Let go of the output; nothing is told any more of what it still has."""
