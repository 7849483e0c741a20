"""Keep the open streams of one API, and record how each of them ends."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from traptor.sandbox.clock import Clock, Instant
from traptor.sandbox.wire.queue import ClosedBy, Ending, Message


class Closable(Protocol):
    """The part of a connection's record that tells of its end."""

    id: int
    closed: Instant | None
    closed_by: ClosedBy | None
    reason: str


class Registered(Protocol):
    """An open stream, with its record and its owner: an account or an app."""

    @property
    def record(self) -> Closable:
        """The record of its connection."""

    @property
    def owner(self) -> str:
        """The name of its account or app."""

    def end(self, ending: Ending, last: Message | None, tail: bytes) -> None:
        """Write the queue, then `last`, then end in the given way."""


S = TypeVar("S", bound=Registered)


class Register(Generic[S]):
    """The open streams, the oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[int, S] = {}

    def add(self, stream: S) -> None:
        """Add a stream: from now on messages are written to it."""
        self._open[stream.record.id] = stream

    def open(self, owner: str | None = None) -> list[S]:
        """Return the open streams, of one owner or of all, the oldest first."""
        return [one for one in self._open.values() if owner in (None, one.owner)]

    def end(
        self,
        stream: S,
        closed_by: ClosedBy,
        reason: str = "",
        ending: Ending = Ending.CLEAN,
        last: Message | None = None,
        tail: bytes = b"",
    ) -> None:
        """Close a stream for new messages; it writes its queue and ends. A second call does nothing."""
        record = stream.record
        if self._open.pop(record.id, None) is None:
            return
        record.closed, record.closed_by, record.reason = self._clock(), closed_by, reason
        self._forget(stream, record.closed)
        stream.end(ending, last, tail)

    def _forget(self, stream: S, now: Instant) -> None:
        """Undo what else `add` did for the stream, which has just been closed."""
