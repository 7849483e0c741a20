"""Mirror the newest gaps of each connection to Redis, for programs that read rules and counters there.

`traptor:gaps:<connection>` is a list of JSON objects, newest first. Redis may be away or emptied: the ledger
itself is on disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

import orjson
import redis.asyncio
import redis.exceptions

from traptor.common.redis.client import REDIS_ERRORS, ask, done
from traptor.supervisor.gaps.interval import IntervalKind
from traptor.supervisor.ledger.records import Entry
from traptor.supervisor.rules.redisuses import Tell

log = logging.getLogger(__name__)

MIRRORED = 1000  # per connection
_WAITING = 10_000  # over all connections, while Redis is away; the oldest are dropped first
_RETRY_S = 5.0


class GapMirror:
    """Takes gaps as they end, and sends them to Redis when it can."""

    def __init__(
        self, client: redis.asyncio.Redis, keep_s: Callable[[], float], tell: Tell, retry_s: float = _RETRY_S
    ) -> None:
        self._redis = client
        self._keep_s = keep_s
        self._tell = tell
        self._retry_s = retry_s
        self._waiting: deque[Entry] = deque(maxlen=_WAITING)
        self._news = asyncio.Event()

    def add(self, entry: Entry) -> None:
        """Mirror the entry soon if it is a gap."""
        if entry.kind == IntervalKind.GAP:
            self._waiting.append(entry)
            self._news.set()

    async def run(self) -> None:
        """Mirror until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self._mirror(tuple(self._waiting))
                self._tell(None)
            except REDIS_ERRORS as error:
                self._tell(error)
                await asyncio.sleep(self._retry_s)
                self._news.set()

    async def _mirror(self, entries: tuple[Entry, ...]) -> None:
        if not entries:
            return
        keep_s = int(self._keep_s())
        async with self._redis.pipeline(transaction=True) as pipeline:
            for entry in entries:
                key = f"traptor:gaps:{entry.connection}"
                pipeline.lpush(key, orjson.dumps(entry.as_json()))
                pipeline.ltrim(key, 0, MIRRORED - 1)
                pipeline.expire(key, keep_s)
            await ask(self._redis, pipeline.execute(), done(len(pipeline)))
        last_id = entries[-1].id
        while self._waiting and self._waiting[0].id <= last_id:
            self._waiting.popleft()
