"""Decide when a gap begins: the time up to which all data of an ended stream is known to be collected.

All times are monotonic seconds.
"""

from __future__ import annotations

import math

from traptor.common.messages import Disconnected, DisconnectKind

ON_ITS_WAY_S = 1.0
# A keep-alive comes every 30 s (Twitter, "Connecting to a streaming endpoint"), and may be a little late.
KEEP_ALIVE_MISSED_S = 35.0


def safe_until(message: Disconnected) -> float:
    """Return when the last handled message of the stream can have been sent.

    An end of the response's body follows everything that was sent. When we close, or the network breaks,
    messages in transit are lost, and so are unhandled ones: the gap begins with the last byte, or at most
    ON_ITS_WAY_S before the end, or earlier when the worker was behind.
    """
    if _was_dead(message):
        return message.last_byte_at
    if message.kind is DisconnectKind.SERVER_CLOSE:
        return message.at
    return min(max(message.last_byte_at, message.at - ON_ITS_WAY_S), covered_until(message))


def covered_until(message: Disconnected, *, in_overlap: bool = False) -> float:
    """Return the latest time the successor may connect without losing data.

    Once the successor's stream is open, everything sent comes over it too, so messages in transit to the old
    stream are not lost; those that had arrived there and were not handled are. In an overlap the server ends
    the old stream after its 200 to the successor, whichever of the two we notice first: then the time is
    infinite.
    """
    if _was_dead(message):
        return message.last_byte_at
    if message.kind is DisconnectKind.SERVER_CLOSE:
        return math.inf if in_overlap else message.at
    return message.at if message.safe_until is None else message.safe_until


def until_successor(message: Disconnected, successor_at: float, *, in_overlap: bool) -> float:
    """Return the same as `safe_until`, for a stream whose successor's is open since `successor_at`."""
    covered = min(successor_at, covered_until(message, in_overlap=in_overlap))
    return max(safe_until(message), covered)


def _was_dead(message: Disconnected) -> bool:
    """Tell whether nothing had arrived lately: without its keep-alive the stream was dead."""
    silent_s = message.at - message.last_byte_at
    return message.kind is DisconnectKind.STALL or silent_s > KEEP_ALIVE_MISSED_S


def lived_until(until: float, last_byte_at: float) -> float:
    """Return up to when the stream of a dead worker counts; one without a keep-alive was dead before."""
    return last_byte_at if 0 < last_byte_at < until - KEEP_ALIVE_MISSED_S else until
