"""The heartbeats that rule managers look at: `<type>:<id>:heartbeat`, as the original Traptor wrote them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import redis.asyncio

from traptor.common.redisclient import ask, done
from traptor.common.rules import GroupId
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.workers.states import ConnectionState, GenerationState

_WITHHELD = {ConnectionState.WAITING_FOR_KEY, ConnectionState.REFUSED, ConnectionState.STOPPED}


async def write_heartbeats(client: redis.asyncio.Redis, groups: Iterable[GroupId], interval_s: float) -> None:
    """Set one expiring key per group. Raises redis-py's errors."""
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    lifetime_ms = round(interval_s * 1500)
    async with client.pipeline(transaction=False) as pipeline:
        for group in groups:
            pipeline.psetex(f"{group}:heartbeat", lifetime_ms, now)
        await ask(client, pipeline.execute(), done(len(pipeline)))


def beating(served: Iterable[GroupId], connections: Iterable[Connection], now: float) -> tuple[GroupId, ...]:
    """The served groups that more work may be given to: none of their connections waits or is refused."""
    silent = {c.group for c in connections if is_withheld(c, now)}
    return tuple(group for group in served if group not in silent)


def is_withheld(c: Connection, now: float) -> bool:
    """Whether this connection keeps its group from taking work."""
    full = c.serving is not None and c.serving.state is GenerationState.OUTBOX_FULL
    return full or c.state(now) in _WITHHELD
