"""The protocol of sinks: their promises, the ticket of each message, and the receiver of results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from traptor.worker.outbox.message import Outgoing
from traptor.worker.outbox.outbox import Batch, Outbox


class Handed:
    """A batch of an outbox whose messages are on their way."""

    __slots__ = ("at", "batch", "is_adopted", "is_repeated", "left", "outbox", "received_at")

    def __init__(
        self,
        outbox: Outbox,
        batch: Batch,
        *,
        is_adopted: bool,
        at: float = 0.0,
        received_at: float | None = None,
    ) -> None:
        self.outbox = outbox
        self.batch = batch
        self.at = at  # when it was put into the outbox, or found there (monotonic)
        self.received_at = received_at  # when its first message came; None: by an earlier generation
        self.left = batch.size  # messages that are neither delivered nor dead letters yet
        self.is_adopted = is_adopted  # an earlier generation left them
        self.is_repeated = is_adopted  # they may have been delivered before


class Ticket(NamedTuple):
    """The position of a message: its batch, and its place there."""

    handed: Handed
    position: int  # of the message in the batch


class Results(Protocol):
    """Receives the results of messages, never from two threads at once."""

    def delivered(self, ticket: Ticket) -> None:
        """Record that it was written, or confirmed by the output."""

    def is_dead(self, ticket: Ticket) -> None:
        """Record that it was permanently rejected, and set aside for the operator."""

    def came_back(self, ticket: Ticket) -> None:
        """Record that it was not delivered, or that this is unknown: it is to be sent again."""


class Sink(Protocol):
    """Delivers messages, and reports the result of each; used by one thread at a time."""

    def open(self, results: Results) -> None:
        """Connect to the output, or start to: it may be away. Raises SinkError, which says what to do."""

    def takes(self, message: Outgoing) -> bool:
        """Tell whether messages that are not tweets are delivered at all; tweets are, whatever it says."""

    def may_deliver_at_once(self, messages: Sequence[Outgoing]) -> bool:
        """Tell whether `deliver_at_once` can be expected to deliver these messages, all or none of them."""

    def deliver_at_once(self, messages: Sequence[Outgoing]) -> bool:
        """Deliver messages that it may now, for good; return False if that fails: then none is delivered."""

    def send(self, message: Outgoing, ticket: Ticket) -> bool:
        """Take a message and report its result later; return False when there is no room for it now."""

    def last_written(self) -> Sequence[bytes]:
        """Return what the output holds last, whoever wrote it, where that can be read; open or not."""

    def serve(self) -> None:
        """Report results. Call this repeatedly."""

    def confirms_none(self, since: float) -> None:
        """Do what may help while none of the oldest messages has been confirmed since `since`.

        Called repeatedly, at least every two seconds, while that lasts.
        """

    @property
    def trouble(self) -> str:
        """Why it does not deliver now, for people; empty: nothing is known (any thread)."""

    def sync(self) -> None:
        """Make delivered messages survive a power cut, as far as this host is responsible."""

    def stop_waiting(self) -> None:
        """End the wait of `open` now (any thread)."""

    def close(self) -> None:
        """Close the output; the results of messages still in it are no longer reported."""
