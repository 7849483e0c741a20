"""What goes to a sink."""

from __future__ import annotations

import msgspec


class Outgoing(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One message to deliver: `body` is one JSON object without a line end.

    It is also what an outbox keeps, so members are only ever added, at the end and with a default.
    """

    body: bytes
    tweet_id: str | None
    """None: not a tweet."""
    rule_ids: tuple[str, ...]
    created_at_ms: int | None = None
    """When the tweet was written, in unix milliseconds; None: not known."""


class DeliveryCounts(msgspec.Struct):
    """Totals of one generation. What was accepted is delivered, a dead letter, or in its outbox.

    Messages that `other_messages = drop` keeps out are not accepted.
    """

    accepted: int = 0
    delivered: int = 0  # written, or confirmed by whom it was sent to
    dead_letters: int = 0  # refused for good by whom it was sent to, and put aside
    redelivered: int = 0  # delivered out of outboxes of earlier generations
