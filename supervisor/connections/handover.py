"""Hand a connection's stream over from one generation to the next: who comes, in which way, and what if not.

The ways and their order are the design's: a free slot of the same key, a spare key, `overlap` (the server
closes the older connection when the same key opens another), `serial` (close first, then open).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from traptor.common.messages import Disconnected
from traptor.supervisor.gaps.interval import GapCause, instant
from traptor.supervisor.gaps.start import safe_until, until_successor
from traptor.supervisor.gaps.timeline import GapTracker
from traptor.supervisor.keys.failures import Failure
from traptor.supervisor.workers.generation import Generation


class Way(StrEnum):
    """How a new generation gets its stream while the old one has one; in the order of choice."""

    SLOT = "slot"
    SPARE = "spare"
    OVERLAP = "overlap"
    SERIAL = "serial"


@dataclass(frozen=True, slots=True)
class Possible:
    """What each way would need, as it is now."""

    slot: bool  # the key has another slot and may connect
    spare: bool  # another key is free and may connect
    overlap: bool  # the key may connect, and did not refuse overlaps
    serial: bool  # the key may connect


def choose_way(allowed: Collection[Way], possible: Possible) -> Way | None:
    """Return the first way that is allowed and possible; None: the old generation streams on."""
    for way in Way:
        if way in allowed and getattr(possible, way.value):
            return way
    return None


class Handover:
    """Owns the successor of a connection's serving generation, and how far it has come.

    It begins with a fork. The successor connects in a way, and then it succeeds or fails; a failed one stays
    and asks again, unless it is gone. Until it streams it can be abandoned, or take the place of an old
    generation that has no stream.
    """

    def __init__(self, gaps: GapTracker) -> None:
        self._gaps = gaps
        self._successor: Generation | None = None
        self._way: Way | None = None
        self._overlapped: tuple[Generation, Disconnected] | None = None
        self._old_returns = False
        self._serial_due: float | None = None
        self._has_pace = False
        self._held_back: tuple[str, Failure] | None = None

    # ---- what it shows

    @property
    def successor(self) -> Generation | None:
        """Return the generation that is to take over."""
        return self._successor

    @property
    def way(self) -> Way | None:
        """Return the way in which the successor connects, from its choice until it streams or failed."""
        return self._way

    @property
    def old_returns(self) -> bool:
        """Return whether the old one connects first: the successor failed without a stream beside it."""
        return self._old_returns

    @property
    def serial_due(self) -> float | None:
        """Return when `serial` may be tried again after such a failure."""
        return self._serial_due

    @property
    def held_back(self) -> tuple[str, Failure] | None:
        """Return the key and the refusal of a new secret that the pool is not told of yet.

        It is told once the old generation streams with its own secret again.
        """
        return self._held_back

    @property
    def successor_first(self) -> bool:
        """Return whether the successor connects while nothing streams: the serving generation must not."""
        return self._way is Way.SERIAL or self._overlapped is not None

    # ---- the way there

    def begin(self, successor: Generation | None) -> None:
        """Take the generation that was forked to take over; None when it could not be forked."""
        self._successor = successor

    def connect_in(self, way: Way) -> None:
        """Note the way chosen; for `serial` the pace of the connect is taken before the old stream closes."""
        self._way = way
        self._has_pace = way is Way.SERIAL

    def spend_pace(self) -> bool:
        """Return whether the pace of the next connect is taken already; it is good for one."""
        had, self._has_pace = self._has_pace, False
        return had

    def overlap_closed(self, old: Generation, message: Disconnected) -> None:
        """Note that the server closed the old stream: the successor will show whether there is a gap."""
        self._overlapped = old, message

    def hold_back(self, key_id: str, failure: Failure) -> None:
        """Keep a refused new secret from the pool: the old generation may still stream with its own."""
        self._held_back = key_id, failure

    def drop_held_back(self) -> None:
        """Forget a refusal that was held back: it is settled, or void."""
        self._held_back = None

    # ---- its ends

    def succeed(self, at: float) -> None:
        """Record that the successor streams since `at`, and serves from now on."""
        self._end(at)
        self._successor, self._held_back, self._serial_due, self._old_returns = None, None, None, False

    def fail(self, old: Generation | None, serial_due: float) -> None:
        """Record that the successor did not get its stream. Without one beside it, `old` connects next."""
        if self.successor_first:
            self._old_returns = old is not None
            self._serial_due = serial_due
        self._end()

    def lose_successor(self, old: Generation | None, serial_due: float) -> None:
        """Record that the successor's process ended before it streamed."""
        self._successor = None
        self.fail(old, serial_due)

    def lose_old(self) -> None:
        """Record that the old generation's process ended: there is no stream to take over."""
        self._old_returns, self._held_back = False, None
        self._end()

    def take_place(self) -> Generation | None:
        """Return the successor, which serves from now on: there is no stream to take over."""
        return self._leave()

    def abandon(self) -> Generation | None:
        """Return the successor, which is not to take over; what serves goes on."""
        return self._leave()

    def end_unwanted(self, at: float) -> None:
        """End what is under way, with no gap until `at`: nobody wants the connection any more."""
        self._end(at)

    def end_return(self) -> None:
        """End the old generation's precedence: it streams again, or will not."""
        self._old_returns = False

    def _leave(self) -> Generation | None:
        successor, self._successor = self._successor, None
        self._end()
        return successor

    def _end(self, successor_at: float | None = None) -> None:
        """Settle a stream that an overlap closed: it lasted until the successor's, or to its own end."""
        if self._overlapped is not None:
            old, message = self._overlapped
            at = (
                safe_until(message)
                if successor_at is None
                else until_successor(message, successor_at, in_overlap=True)
            )
            self._gaps.stopped(old.birth.generation, GapCause.SERVER_CLOSE, instant(at))
        self._overlapped = self._way = None
        self._has_pace = False
