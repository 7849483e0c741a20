"""Find out when the server stood still, as on a busy machine: such a time says nothing about a stream. Pure.

The server notices the end of a connection, and ends one, when it comes to it. It makes tweets all the time,
so that a time without any shows that it came to nothing. Nothing was sent then either; nothing hides in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from trial.judge import Silence

_LEAST_S = 0.5
_HALF_OPEN = "half_open"


def standstills(connection: str, made_at: Iterable[float]) -> list[Silence]:
    """Return the times between tweets made one after the other in which others should have been made."""
    return [
        Silence(connection, before, after)
        for before, after in pairwise(sorted(made_at))
        if after - before >= _LEAST_S
    ]


def stalls(connection: str, struck_at: Iterable[float], stall_timeout_s: float) -> list[Silence]:
    """Return the times in which a stream that fell silent may be over for its worker, and is not closed."""
    return [Silence(connection, at, at + stall_timeout_s) for at in struck_at]


def unnoticed_ends(
    connection: str, streams: Iterable[Mapping[str, Any]], stall_timeout_s: float
) -> list[Silence]:
    """Return the times after the ends without a byte in which no client can know that the stream is over."""
    return [
        Silence(connection, one["closed_mono"], one["closed_mono"] + stall_timeout_s)
        for one in streams
        if one.get("reason") == _HALF_OPEN
    ]
