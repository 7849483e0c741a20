"""One open v2 stream, and its record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from traptor.sandbox.clock import Instant
from traptor.sandbox.v2.apps.registry import App
from traptor.sandbox.v2.fields import Fields
from traptor.sandbox.v2.posts import Reads
from traptor.sandbox.wire.queue import ClosedBy, Message, StreamQueue

Charge = Callable[[str, Reads], None]


@dataclass(slots=True, eq=False)
class StreamRecord:
    """The record of a connection, kept after it is closed."""

    id: int
    uuid: str
    app: str
    peer_ip: str
    peer_port: int
    opened: Instant
    query: dict[str, str]
    is_gzip: bool = False
    is_recovery: bool = False  # of posts of the past only
    closed: Instant | None = None
    closed_by: ClosedBy | None = None
    reason: str = ""
    freed_at: float | None = None  # unix seconds; until then it holds a slot of its app
    is_zombie: bool = False
    messages: int = 0
    posts: int = 0
    over_rate: int = 0  # posts dropped because of the rate
    keep_alives: int = 0
    payload_bytes: int = 0

    def is_active(self, now_unix_s: float) -> bool:
        """Tell whether it holds a slot."""
        return self.freed_at is None or now_unix_s < self.freed_at

    def as_json(self) -> dict[str, Any]:
        """Return the record as the sandbox's own API shows it."""
        return {
            "id": self.id,
            "uuid": self.uuid,
            "app": self.app,
            "peer_ip": self.peer_ip,
            "peer_port": self.peer_port,
            "query": self.query,
            "gzip": self.is_gzip,
            "recovery": self.is_recovery,
            "opened_at": self.opened.unix,
            "opened_mono": self.opened.mono,
            "closed_at": self.closed and self.closed.unix,
            "closed_mono": self.closed and self.closed.mono,
            "closed_by": self.closed_by,
            "reason": self.reason,
            "freed_at": self.freed_at,
            "zombie": self.is_zombie,
            "messages": self.messages,
            "posts": self.posts,
            "over_rate": self.over_rate,
            "keep_alives": self.keep_alives,
            "bytes": self.payload_bytes,
        }


def _no_reads() -> Reads:
    return Reads("")


@dataclass(frozen=True, slots=True)
class PostMessage(Message):
    """One post with its line end, and what it costs."""

    reads: Reads = field(default_factory=_no_reads)


class Pace:
    """Lets at most `rate` posts per second through; a quiet second may be made up for."""

    def __init__(self, rate: float, now_mono_s: float) -> None:
        self._rate = rate
        self._credit = rate
        self._last_mono_s = now_mono_s

    def allows(self, now_mono_s: float) -> bool:
        """Let one through and return True, or return False when there is no room for it."""
        if not self._rate:
            return True
        self._credit += (now_mono_s - self._last_mono_s) * self._rate
        self._credit = min(self._credit, max(self._rate, 1.0))
        self._last_mono_s = now_mono_s
        if self._credit < 1:
            return False
        self._credit -= 1
        return True


class PostStream(StreamQueue):
    """One open connection of an app."""

    def __init__(
        self,
        record: StreamRecord,
        app: App,
        fields: Fields,
        pace: Pace,
        queue_limit: int,
        charge: Charge,
    ) -> None:
        super().__init__(queue_limit)
        self.record = record
        self.app = app
        self.fields = fields
        self.pace = pace
        self.lag_s = 0.0  # how late posts are queued
        self._charge = charge
        self._alone = (record.id,)

    @property
    def owner(self) -> str:
        """The name of the app."""
        return self.app.name

    def wrote(self, batch: Sequence[Message], now_mono_s: float) -> None:
        """Record that these messages are on the wire, and charge for the posts."""
        for message in batch:
            self.record.messages += 1
            self.record.payload_bytes += len(message.data)
            if isinstance(message, PostMessage):
                self.record.posts += 1
                self._charge(self.app.name, message.reads)
            if message.tweet is not None:
                earlier = message.tweet.connections
                message.tweet.connections = earlier + self._alone if earlier else self._alone
                message.tweet.written_mono += (now_mono_s,)

    def kept_alive(self) -> None:
        """Record a keep-alive."""
        self.record.keep_alives += 1
