"""The queue of one open stream, and how it ends."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from traptor.sandbox.record import TweetRecord

BATCH_MESSAGES = 16


class ClosedBy(StrEnum):
    """The side that ended a connection."""

    CLIENT = "client"
    SERVER = "server"
    REPLACED = "replaced"  # by a newer connection of the same account
    FAULT = "fault"


class Ending(StrEnum):
    """The ways in which a socket ends once all messages are written."""

    CLEAN = "clean"  # the last chunk, then closed
    RESET = "reset"  # half of a message, then RST
    HALF_OPEN = "half_open"  # neither bytes nor FIN, ever


@dataclass(frozen=True, slots=True)
class Message:
    """One message with its line end; `tweet` is its record when it is a tweet of the timeline."""

    data: bytes
    tweet: TweetRecord | None = None


class StreamQueue:
    """The queue between the timeline and the socket of one connection."""

    def __init__(self, queue_limit: int) -> None:
        self._queue_limit = queue_limit
        self._queue: deque[Message] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._stalled_until_mono = -math.inf
        self.ending: Ending | None = None
        self.tail = b""  # the part of a message that a reset leaves behind

    def is_stalled(self, now_mono_s: float) -> bool:
        """Tell whether a fault keeps the stream silent."""
        return now_mono_s < self._stalled_until_mono

    def offer(self, message: Message, now_mono_s: float) -> bool:
        """Queue a message and return True, or False when the queue is full; a stalled stream drops it."""
        if self.ending is not None or self.is_stalled(now_mono_s):
            return True
        if len(self._queue) >= self._queue_limit:
            return False
        self._queue.append(message)
        self._wake.set()
        return True

    async def room(self) -> None:
        """Wait until half of the queue is free, or for the end."""
        while len(self._queue) > self._queue_limit // 2 and self.ending is None:
            self._room.clear()
            await self._room.wait()

    def stall(self, until_mono_s: float) -> None:
        """Be silent until then; queued messages are dropped."""
        self._stalled_until_mono = until_mono_s
        self._queue.clear()
        self._room.set()

    def resume(self) -> None:
        """End a stall."""
        self._stalled_until_mono = -math.inf

    def end(self, ending: Ending, last: Message | None = None, tail: bytes = b"") -> None:
        """Write the queue, then `last`, then end in the given way."""
        self.ending, self.tail = ending, tail
        if last is not None:
            self._queue.append(last)
        self._wake.set()
        self._room.set()

    async def next_batch(self, timeout_s: float) -> list[Message] | None:
        """Return what to write now: some messages, none after the timeout, None at the end."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self._queue and self.ending is None:
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            return []
        if not self._queue:
            return None
        self._room.set()
        return [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_MESSAGES))]

    def wrote(self, batch: Sequence[Message], now_mono_s: float) -> None:
        """Record that these messages are on the wire."""
        raise NotImplementedError

    def kept_alive(self) -> None:
        """Record that a keep-alive is on the wire."""
        raise NotImplementedError
