"""Find out when the server stood still, as on a busy machine: such a time says nothing about a stream. Pure.

The server notices the end of a connection, and ends one, when it comes to it. It makes tweets all the time,
so that a time without any shows that it came to nothing. Nothing was sent then either; nothing hides in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from trial.judge import Silence

_LEAST_S = 0.5


def standstills(connection: str, made_at: Iterable[float]) -> list[Silence]:
    """Return the times between tweets made one after the other in which others should have been made."""
    return [
        Silence(connection, before, after)
        for before, after in pairwise(sorted(made_at))
        if after - before >= _LEAST_S
    ]
