"""When a gap begins: up to when what came over a stream that ended is known to be collected.

All times are monotonic seconds.
"""

from __future__ import annotations

from traptor.common.messages import Disconnected, DisconnectKind
from traptor.supervisor.generation import Generation

ON_ITS_WAY_S = 1.0
# A keep-alive comes every 30 s (Twitter, "Connecting to a streaming endpoint"), and may be a little late.
KEEP_ALIVE_MISSED_S = 35.0


def collected_until(message: Disconnected) -> float:
    """When the stream's last message that was handled can have been sent.

    An end of the answer's body comes after all that was sent. When we close, or the network breaks, what is
    on its way is lost, and what had come and was not handled: the gap begins with the last byte, or at most
    ON_ITS_WAY_S before the end, or earlier when the worker was behind. A stream that missed its keep-alive
    was dead since its last byte, whoever ended it.
    """
    if message.kind is DisconnectKind.STALL or message.at - message.last_byte_at > KEEP_ALIVE_MISSED_S:
        return message.last_byte_at
    if message.kind is DisconnectKind.SERVER_CLOSE:
        return message.at
    until = max(message.last_byte_at, message.at - ON_ITS_WAY_S)
    return until if message.caught_up_at is None else min(until, message.caught_up_at)


def known_to_live(g: Generation) -> float:
    """Until when what came over the stream of a dead worker is safe; a silent one was dead before."""
    last_byte_at = g.last_report.last_byte_at if g.last_report is not None else 0.0
    safe_until = g.collected_until()
    return last_byte_at if 0 < last_byte_at < safe_until - KEEP_ALIVE_MISSED_S else safe_until


def until_successor(g: Generation, noticed_at: float, ended_at: float, successor_at: float) -> float:
    """A stream that was closed after its successor's began lasted at least until then.

    In an overlap the server closes it after its 200 to the successor, whichever of the two we noticed first.
    """
    is_covered = g.leave_by is not None or noticed_at >= successor_at
    return max(ended_at, successor_at) if is_covered else ended_at
