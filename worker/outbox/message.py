"""The messages that go to a sink."""

from __future__ import annotations

import msgspec


class Outgoing(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One message to deliver: `body` is one JSON object without a line end.

    Outboxes store it in this form, so new members are only ever added at the end, with a default.
    """

    body: bytes
    tweet_id: str | None
    """None: not a tweet."""
    rule_ids: tuple[str, ...]
    created_at_ms: int | None = None
    """When the tweet was written, in unix milliseconds; None: not known."""
    payload: str | None = None
    """The form of a post of API v2: native, or v1.1."""
    edit_of: str | None = None
    """The id of the post's first version, of which this one is an edit (API v2)."""


class DeliveryCounts(msgspec.Struct):
    """Totals of one generation. An accepted message is delivered, a dead letter, or in its outbox.

    Messages that `other_messages = drop` excludes are not accepted.
    """

    accepted: int = 0
    delivered: int = 0  # written, or confirmed by the recipient
    dead_letters: int = 0  # permanently rejected by the recipient and set aside
    redelivered: int = 0  # delivered from outboxes of earlier generations
