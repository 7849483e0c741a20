"""How a refresh's new generation may get its stream: a pure choice among the ways that the operator allows.

The ways and their order are the design's: a free slot of the same key, a spare key, `overlap` (the server
closes the older connection when the same key opens another), `serial` (close first, then open).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from traptor.supervisor.workers.generation import Way


@dataclass(frozen=True, slots=True)
class Possible:
    """What each way would need, as it is now."""

    slot: bool  # the key has another slot and may connect
    spare: bool  # another key is free and may connect
    overlap: bool  # the key may connect, and did not refuse overlaps
    serial: bool  # the key may connect


def choose_way(allowed: Collection[Way], possible: Possible) -> Way | None:
    """The first way that is allowed and possible; None: the old generation streams on."""
    for way in Way:
        if way in allowed and getattr(possible, way.value):
            return way
    return None
