"""What goes to a sink, and what a sink tells of it."""

from __future__ import annotations

import msgspec

from traptor.common.errors import SinkError


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """One message to deliver: `body` is one JSON object without a line end."""

    body: bytes
    tweet_id: str | None
    """None: not a tweet."""
    rule_ids: tuple[str, ...]
    created_at_ms: int | None = None
    """When the tweet was written, in unix milliseconds; None: not known."""


class SinkCounts(msgspec.Struct):
    """Totals of one sink. What was accepted is either in hand, delivered or failed.

    Messages that `other_messages = drop` keeps out are not accepted.
    """

    accepted: int = 0
    delivered: int = 0  # written, or confirmed by whom it was sent to
    failed: int = 0  # given up


class SinkStopped(SinkError):
    """A wait for room was ended by `stop_waiting`; the message is in hand, and `drain` tries again."""
