"""Where messages go: what every sink promises."""

from __future__ import annotations

from typing import Protocol

from traptor.worker.delivery.tickets import Outcomes, Ticket
from traptor.worker.outbox.message import Outgoing


class Sink(Protocol):
    """Delivers messages, and tells what becomes of each; used by one thread at a time."""

    def open(self, outcomes: Outcomes) -> None:
        """Reach the output, or begin to: it may be away. Raises SinkError, which says what to do."""

    def takes(self, message: Outgoing) -> bool:
        """Whether messages of this kind are delivered at all."""

    def deliver_at_once(self, message: Outgoing) -> bool:
        """Deliver a message for good right now; False where that cannot be: nothing has happened then."""

    def send(self, message: Outgoing, ticket: Ticket) -> bool:
        """Take a message; what becomes of it is told later. False when there is no room for it now."""

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
