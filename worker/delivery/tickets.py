"""What a sink is given with each message, and whom it tells what became of it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from traptor.worker.outbox.outbox import Batch, Outbox


class Handed:
    """A batch of an outbox whose messages are on their way."""

    __slots__ = ("batch", "is_adopted", "is_repeated", "left", "outbox")

    def __init__(self, outbox: Outbox, batch: Batch, *, is_adopted: bool) -> None:
        self.outbox = outbox
        self.batch = batch
        self.left = batch.size  # messages that are neither delivered nor dead letters yet
        self.is_adopted = is_adopted  # an earlier generation left them
        self.is_repeated = is_adopted  # they may have been delivered before


class Ticket(NamedTuple):
    """Says which message of which batch it is."""

    handed: Handed
    position: int  # of the message in the batch


class Outcomes(Protocol):
    """Takes in what became of messages, never from two threads at once."""

    def delivered(self, ticket: Ticket) -> None:
        """It was written, or confirmed by whom it was sent to."""

    def is_dead(self, ticket: Ticket) -> None:
        """It was refused for good, and put aside for the operator."""

    def came_back(self, ticket: Ticket) -> None:
        """It was not delivered now, or that is not known; it is to be sent again."""
