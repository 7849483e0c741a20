"""Failures of Redis, as the operator reads them."""

from __future__ import annotations

import redis.asyncio
from redis.exceptions import BusyLoadingError, RedisError

from traptor.common.errors import RedisUnavailable

REDIS_ERRORS = (RedisError, OSError)  # asyncio's and the socket's timeouts are OSErrors


def unavailable(client: redis.asyncio.Redis, error: BaseException) -> RedisUnavailable:
    """The error to raise when `client` could not be asked; its text never has a password."""
    if isinstance(error, BusyLoadingError):
        advice = "it is still loading its data"
    else:
        advice = "check [redis] url and that the server runs"
    return RedisUnavailable(f"Redis at {_address(client)}: {_said(client, error)} ({advice})")


def _address(client: redis.asyncio.Redis) -> str:
    known = client.connection_pool.connection_kwargs
    place = known.get("path") or f"{known.get('host', 'localhost')}:{known.get('port', 6379)}"
    return f"{place} (db {known.get('db', 0)})"


def _said(client: redis.asyncio.Redis, error: BaseException) -> str:
    text = str(error) or type(error).__name__
    password = client.connection_pool.connection_kwargs.get("password")
    return text.replace(str(password), "***") if password else text
