"""Hand a connection's stream over from one generation to the next: by which way, and what happens on failure.

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
from traptor.supervisor.keys.conduct.failures import Failure
from traptor.supervisor.workers.generation import Generation


class Way(StrEnum):
    """The ways in which a new generation gets its stream beside an old one, in the order of choice."""

    SLOT = "slot"
    SPARE = "spare"
    OVERLAP = "overlap"
    SERIAL = "serial"


@dataclass(frozen=True, slots=True)
class Possible:
    """The present conditions for each way."""

    slot: bool  # the key has another slot and may connect
    spare: bool  # another key is free and may connect
    overlap: bool  # the key may connect, and has not refused overlaps
    serial: bool  # the key may connect


def choose_way(allowed: Collection[Way], possible: Possible) -> Way | None:
    """Return the first way that is allowed and possible; None: the old generation keeps streaming."""
    for way in Way:
        if way in allowed and getattr(possible, way.value):
            return way
    return None


class Handover:
    """Owns the successor of a connection's serving generation, and its progress.

    A handover begins with a fork. The successor connects in a way, and then it succeeds or fails; a failed
    one stays and asks again, unless it is gone. Until it streams it can be abandoned, or replace an old
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

    # ---- state

    @property
    def successor(self) -> Generation | None:
        """The generation that is to take over."""
        return self._successor

    @property
    def way(self) -> Way | None:
        """The way in which the successor connects, from its choice until it streams or fails."""
        return self._way

    @property
    def old_returns(self) -> bool:
        """True when the old generation connects first: the successor failed without a stream beside it."""
        return self._old_returns

    @property
    def serial_due(self) -> float | None:
        """The time at which `serial` may be tried again after such a failure."""
        return self._serial_due

    @property
    def held_back(self) -> tuple[str, Failure] | None:
        """The key, and the refusal of its new secret, that the pool has not been told of yet.

        The pool is told once the old generation streams with its own secret again.
        """
        return self._held_back

    @property
    def successor_first(self) -> bool:
        """True when the successor connects while nothing streams: the serving generation must not."""
        return self._way is Way.SERIAL or self._overlapped is not None

    # ---- progress

    def begin(self, successor: Generation) -> None:
        """Start a handover to the forked successor."""
        self._successor = successor

    def connect_in(self, way: Way) -> None:
        """Record the chosen way; for `serial` its pace is taken before the old stream closes."""
        self._way = way
        self._has_pace = way is Way.SERIAL

    def spend_pace(self) -> bool:
        """Tell whether the pace of the next connect is taken already, and use it up."""
        had, self._has_pace = self._has_pace, False
        return had

    def overlap_closed(self, old: Generation, message: Disconnected) -> None:
        """Record that the server closed the old stream: the successor will show whether there is a gap."""
        self._overlapped = old, message

    def hold_back(self, key_id: str, failure: Failure) -> None:
        """Keep a refused new secret from the pool: the old generation may still stream with its own."""
        self._held_back = key_id, failure

    def drop_held_back(self) -> None:
        """Forget a refusal that was held back: it is settled, or void."""
        self._held_back = None

    # ---- ends

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
        """Return the successor, which will not take over; the serving generation stays."""
        return self._leave()

    def end_unwanted(self, at: float) -> None:
        """End the handover, without a gap until `at`: the connection is no longer planned."""
        self._end(at)

    def end_return(self) -> None:
        """End the old generation's precedence: it streams again, or never will."""
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
