"""The counts of one generation, as its worker reports them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class Counters(msgspec.Struct, kw_only=True):
    """Totals of one generation since it started; they never decrease.

    `reads` is what X bills, by kind: `posts` (lines' own posts) and `included_posts` (those in includes; of
    both, each id once per UTC day and app, where it came first), `included_users` (each time).
    """

    received: int = 0  # tweets
    received_bytes: int = 0  # of all messages
    matched: int = 0  # tweets matched by at least one rule under the documented semantics
    inferred: int = 0  # tweets matched only by the wider interpretation
    unmatched: int = 0
    held: int = 0  # matched tweets that are not delivered, because all their rules exceed their rate limits
    limited: int = 0  # tweets that the server reports as withheld
    broken: int = 0  # lines that are not JSON objects
    other: dict[str, int] = {}  # messages that are not tweets, by kind
    accepted: int = 0  # accepted for delivery
    delivered: int = 0  # written, or confirmed by the recipient
    dead_letters: int = 0  # permanently rejected by the recipient and set aside
    redelivered: int = 0  # delivered from outboxes of earlier generations
    log_lost: int = 0  # log records that could not be written
    repeated: int = 0  # posts that came again, marked or dropped (v2)
    copies: int = 0  # posts that another connection of the app had taken (v2)
    foreign: int = 0  # posts delivered for foreign filters only (v2)
    unattributed: int = 0  # posts of our packed filters in which none of their values was found (v2)
    reads: dict[str, int] = {}  # what X bills, by kind (v2)
    errors: dict[str, int] = {}  # errors in the stream and in posts, by kind (v2)
    trial: dict[str, int] = {}  # posts for the trial output by outcome: those above, and `dropped` (v2)
    latency: dict[str, int] = {}  # delivered messages by the time that took (timing/latencies.py)
    latency_ms: int = 0  # all these times together


BY_KIND = ("other", "reads", "errors", "trial", "latency")


def flat(counters: Counters) -> dict[str, int]:
    """Return all counts under one name each, like `received` and `other.delete`."""
    counts: dict[str, int] = {}
    for name in Counters.__struct_fields__:
        value = getattr(counters, name)
        if name in BY_KIND:
            counts.update((f"{name}.{kind}", count) for kind, count in value.items())
        else:
            counts[name] = value
    return counts


_NOTHING = Counters()


def added(one: Counters, other: Counters) -> Counters:
    """Return the sums of both; the result may be one of them."""
    if one == _NOTHING:  # most generations are the first of their connection
        return other
    sums: dict[str, Any] = {}
    for name in Counters.__struct_fields__:
        mine, others = getattr(one, name), getattr(other, name)
        sums[name] = _added_by_kind(mine, others) if name in BY_KIND else mine + others
    return Counters(**sums)


def _added_by_kind(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {kind: one.get(kind, 0) + other.get(kind, 0) for kind in sorted(one.keys() | other.keys())}
