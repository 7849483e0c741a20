"""The master's connections to Redis."""

from __future__ import annotations

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

_HEALTH_CHECK_S = 10


def redis_client(url: str, timeout_s: float) -> redis.asyncio.Redis:
    """A client that fails at once: whoever uses it says that Redis is away, and tries again later."""
    return redis.asyncio.Redis.from_url(
        url,
        socket_connect_timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_keepalive=True,
        health_check_interval=_HEALTH_CHECK_S,
        retry=Retry(NoBackoff(), 0),
        single_connection_client=False,
    )
