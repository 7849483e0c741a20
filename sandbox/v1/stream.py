"""One open stream: what waits to be written to it, and how it ends."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from traptor.sandbox.clock import Instant
from traptor.sandbox.record import TweetRecord
from traptor.sandbox.v1.accounts import Account
from traptor.sandbox.v1.filters import StreamFilter

BATCH_MESSAGES = 16


class ClosedBy(StrEnum):
    """Who ended a connection."""

    CLIENT = "client"
    SERVER = "server"
    REPLACED = "replaced"  # by a newer connection of the same account
    FAULT = "fault"


class Ending(StrEnum):
    """What becomes of the socket once all messages are written."""

    CLEAN = "clean"  # the last chunk, then closed
    RESET = "reset"  # half of a message, then RST
    HALF_OPEN = "half_open"  # neither bytes nor FIN, ever


@dataclass(frozen=True, slots=True)
class Message:
    """One message with its line end; `tweet` is its record when it is a tweet of the timeline."""

    data: bytes
    tweet: TweetRecord | None = None


@dataclass(slots=True)
class ConnectionRecord:
    """What is remembered of a connection, also after it is closed."""

    id: int
    account: str
    peer_ip: str
    peer_port: int
    opened: Instant
    filter: StreamFilter
    is_gzip: bool = False
    closed: Instant | None = None
    closed_by: ClosedBy | None = None
    reason: str = ""
    messages: int = 0
    tweets: int = 0
    keep_alives: int = 0
    payload_bytes: int = 0  # before chunking and compression, keep-alives not counted

    def as_json(self, with_values: bool = True) -> dict[str, Any]:
        """Return the record as the API shows it."""
        return {
            "id": self.id,
            "account": self.account,
            "peer_ip": self.peer_ip,
            "peer_port": self.peer_port,
            "status": 200,
            "gzip": self.is_gzip,
            "opened_at": self.opened.unix,
            "opened_mono": self.opened.mono,
            "closed_at": self.closed and self.closed.unix,
            "closed_mono": self.closed and self.closed.mono,
            "closed_by": self.closed_by,
            "reason": self.reason,
            "counts": {kind.value: len(texts) for kind, texts in self.filter.values.items()},
            "values": self._values() if with_values else None,
            "parameters": self.filter.other,
            "messages": self.messages,
            "tweets": self.tweets,
            "keep_alives": self.keep_alives,
            "bytes": self.payload_bytes,
        }

    def _values(self) -> dict[str, tuple[str, ...]]:
        return {kind.value: texts for kind, texts in self.filter.values.items()}


@dataclass(slots=True, eq=False)
class Stream:
    """The queue between the timeline and the socket of one connection."""

    record: ConnectionRecord
    account: Account
    queue_limit: int
    ending: Ending | None = None
    tail: bytes = b""  # the piece of a message that a reset leaves behind
    _queue: deque[Message] = field(default_factory=deque)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _stalled_until_mono: float = -math.inf
    _alone: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self._alone = (self.record.id,)

    def is_stalled(self, now_mono_s: float) -> bool:
        """Tell whether a fault keeps the stream silent."""
        return now_mono_s < self._stalled_until_mono

    def offer(self, message: Message, now_mono_s: float) -> bool:
        """Queue a message; False when the queue is full. A stalled stream forgets it."""
        if self.ending is not None or self.is_stalled(now_mono_s):
            return True
        if len(self._queue) >= self.queue_limit:
            return False
        self._queue.append(message)
        self._wake.set()
        return True

    def stall(self, until_mono_s: float) -> None:
        """Be silent until then; what waits is forgotten."""
        self._stalled_until_mono = until_mono_s
        self._queue.clear()

    def resume(self) -> None:
        """End a stall."""
        self._stalled_until_mono = -math.inf

    def end(self, ending: Ending, last: Message | None = None, tail: bytes = b"") -> None:
        """Write what is queued, then `last`, then end in the given way."""
        self.ending, self.tail = ending, tail
        if last is not None:
            self._queue.append(last)
        self._wake.set()

    async def next_batch(self, timeout_s: float) -> list[Message] | None:
        """Return what is to be written now: some messages, none after the timeout, None at the end."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self._queue and self.ending is None:
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            return []
        if not self._queue:
            return None
        return [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_MESSAGES))]

    def wrote(self, batch: list[Message], now_mono_s: float) -> None:
        """Note in the record that these messages are on the wire."""
        times = (now_mono_s,)
        for message in batch:
            self.record.messages += 1
            self.record.payload_bytes += len(message.data)
            if message.tweet is not None:
                self.record.tweets += 1
                # Most tweets go to one connection: a million of them share its tuple.
                earlier = message.tweet.connections
                message.tweet.connections = earlier + self._alone if earlier else self._alone
                message.tweet.written_mono += times
