"""Redis clients for both sides, their failures, and checks of the shape of replies.

Clients return replies as Redis sent them. Only this module checks their shape: a proxy, a faulty server or
another program on the port may answer anything, and must look like any other trouble with Redis.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.retry import Retry as BlockingRetry

from traptor.common.errors import RedisUnavailable
from traptor.common.redis.state import RedisState
from traptor.common.redis.wholetime import limit, overdue, whole_s

_HEALTH_CHECK_S = 10
# What each connection tells the server. Left to redis-py, each reads the version from files of its package.
_DRIVER = DriverInfo(lib_version=redis.__version__)
_BYTES = frozenset({bytes})
_SHOWN_CHARACTERS = 60  # of a reply with an unexpected shape
_SAID_CHARACTERS = 500  # of an error: the server may send any text

REDIS_ERRORS = (RedisError, OSError)  # asyncio's and the socket's timeouts are OSErrors

T = TypeVar("T")


class UnexpectedReply(RedisError):
    """The server answered in a form that the command never has."""


def redis_client(url: str, timeout_s: float, ca_file: Path | None = None) -> redis.asyncio.Redis:
    """Return a client that fails at once; the caller reports that Redis is away and tries again later."""
    options = {**_options(url, timeout_s, ca_file), "health_check_interval": _HEALTH_CHECK_S}
    client = redis.asyncio.Redis.from_url(url, **options, retry=Retry(NoBackoff(), 0))
    client.response_callbacks.clear()
    return client


def blocking_redis_client(url: str, timeout_s: float, ca_file: Path | None = None) -> redis.Redis:
    """Return the same kind of client for use in a thread."""
    client = redis.Redis.from_url(
        url, **_options(url, timeout_s, ca_file), retry=BlockingRetry(NoBackoff(), 0)
    )
    client.response_callbacks.clear()
    limit(client)
    return client


def _options(url: str, timeout_s: float, ca_file: Path | None) -> dict[str, Any]:
    options: dict[str, Any] = {
        "socket_connect_timeout": timeout_s,
        "socket_timeout": timeout_s,
        "protocol": 2,  # every server speaks it, and its replies have one form
        "driver_info": _DRIVER,
    }
    scheme = urlsplit(url).scheme
    if scheme != "unix":
        options["socket_keepalive"] = True
    if scheme == "rediss" and ca_file is not None:
        options["ssl_ca_certs"] = str(ca_file)
    return options


async def ask(
    client: redis.asyncio.Redis, reply: Awaitable[Any], shape: Callable[[Any], T], waits_s: float = 0.0
) -> T:
    """Wait for a reply and return the result of `shape` on it; it may wait `waits_s` before it begins.

    Raises redis-py's errors and OSError; UnexpectedReply when the reply has another form or makes redis-py
    itself fail. After that the client starts with fresh connections.
    """
    within_s = waits_s + whole_s(client)
    limited = asyncio.timeout(within_s)
    try:
        async with limited:
            came = await reply
        return shape(came)
    except REDIS_ERRORS as error:
        if limited.expired():
            await client.connection_pool.disconnect(inuse_connections=False)
            raise overdue(within_s) from None
        if isinstance(error, UnexpectedReply):
            await client.connection_pool.disconnect(inuse_connections=False)
        raise
    except Exception as error:
        await client.connection_pool.disconnect(inuse_connections=False)
        raise _unexpected("a reply that cannot be read", repr(error)) from error


# ---- shapes


def scan_page(reply: Any) -> tuple[int, list[bytes]]:
    """Return cursor and keys from a reply to SCAN. Raises UnexpectedReply."""
    match reply:
        case [bytes() as cursor, list() as keys] if cursor.isdigit() and _are_bytes(keys):
            return int(cursor), keys
    raise _unexpected("a cursor and a list of keys", reply)


def hashes(count: int) -> Callable[[Any], list[dict[bytes, bytes] | ResponseError]]:
    """Return the shape of replies to `count` HGETALL: fields, or the server's error about the key."""

    def shape(replies: Any) -> list[dict[bytes, bytes] | ResponseError]:
        return [_hash(reply) for reply in _replies(replies, count)]

    return shape


def _hash(reply: Any) -> dict[bytes, bytes] | ResponseError:
    if isinstance(reply, ResponseError):
        return reply
    if isinstance(reply, list) and len(reply) % 2 == 0 and _are_bytes(reply):
        return dict(zip(reply[::2], reply[1::2], strict=True))
    raise _unexpected("names and values of a hash", reply)


def hash_pages(count: int) -> Callable[[Any], list[tuple[int, dict[bytes, bytes]] | ResponseError]]:
    """Return the shape of replies to `count` HSCAN: cursor and fields, or the error about the key."""

    def shape(replies: Any) -> list[tuple[int, dict[bytes, bytes]] | ResponseError]:
        return [_hash_page(reply) for reply in _replies(replies, count)]

    return shape


def _hash_page(reply: Any) -> tuple[int, dict[bytes, bytes]] | ResponseError:
    if isinstance(reply, ResponseError):
        return reply
    cursor, flat = scan_page(reply)
    found = _hash(flat)
    assert isinstance(found, dict)
    return cursor, found


def done(count: int) -> Callable[[Any], None]:
    """Return the shape of replies to `count` commands that write: numbers and OK."""

    def shape(replies: Any) -> None:
        for reply in _replies(replies, count):
            was_done(reply)

    return shape


def was_done(reply: Any) -> None:
    """Check a reply to a command that writes: a number or OK. Raises UnexpectedReply."""
    if not isinstance(reply, int) and reply != b"OK":
        raise _unexpected("a number or OK", reply)


def values_and_lifetimes(count: int) -> Callable[[Any], list[tuple[bytes | None, int]]]:
    """Return the shape of replies to MGET of `count` keys and PTTL of each: values, and milliseconds."""

    def shape(replies: Any) -> list[tuple[bytes | None, int]]:
        found, *lifetimes = _replies(replies, 1 + count)
        if all(isinstance(ms, int) for ms in lifetimes):
            return list(zip(values(count)(found), lifetimes, strict=True))
        raise _unexpected("lifetimes", lifetimes)

    return shape


def values(count: int) -> Callable[[Any], list[bytes | None]]:
    """Return the shape of the reply to MGET of `count` keys."""

    def shape(reply: Any) -> list[bytes | None]:
        items = _replies(reply, count)
        if all(isinstance(item, bytes | None) for item in items):
            return items
        raise _unexpected("values", reply)

    return shape


def was_pong(reply: Any) -> None:
    """Check a reply to PING. Raises UnexpectedReply."""
    if reply != b"PONG":
        raise _unexpected("PONG", reply)


def pubsub_message(message: Any) -> tuple[str, bytes] | None:
    """Return kind and content of a pubsub message, or None when none arrived. Raises UnexpectedReply."""
    match message:
        case None:
            return None
        case {"type": "message" | "pong" as kind, "data": bytes() as data}:
            return kind, data
        case {"type": "subscribe" as kind, "data": int()}:
            return kind, b""
    raise _unexpected("a message of a subscription", message)


def _replies(replies: Any, count: int) -> list[Any]:
    if isinstance(replies, list) and len(replies) == count:
        return replies
    raise _unexpected(f"{count} replies", replies)


def _are_bytes(items: Sequence[Any]) -> bool:
    return _BYTES.issuperset(map(type, items))


def _unexpected(expected: str, reply: Any) -> UnexpectedReply:
    shown = repr(reply)[:_SHOWN_CHARACTERS]
    return UnexpectedReply(
        f"expected {expected}, received {shown}: check that this is Redis and that nothing stands between"
    )


# ---- failures


# The order matters: most of these are subclasses of those further down.
_ADVICE: tuple[tuple[type[BaseException], RedisState, str], ...] = (
    (BusyLoadingError, RedisState.AWAY, "it is still loading its data"),
    (AuthenticationError, RedisState.REFUSED, "check user and password in [redis] url"),
    (AuthorizationError, RedisState.REFUSED, "check user and password in [redis] url"),
    (NoPermissionError, RedisState.REFUSED, "give the user of [redis] url the right to do this"),
    (ReadOnlyError, RedisState.REFUSED, "it is a replica; name the primary in [redis] url"),
    (OutOfMemoryError, RedisState.REFUSED, "raise its maxmemory, or make room in it"),
    (UnexpectedReply, RedisState.REFUSED, "check what listens at [redis] url"),
    (ResponseError, RedisState.REFUSED, "check its configuration, and the database in [redis] url"),
    (BaseException, RedisState.AWAY, "check [redis] url and that the server runs"),
)


def unavailable(client: redis.asyncio.Redis | redis.Redis, error: BaseException) -> RedisUnavailable:
    """Return the error to raise when `client` failed; its text never contains a password."""
    if isinstance(error, RedisUnavailable):
        return error
    _, advice = _judged(error)
    return RedisUnavailable(f"Redis at {_address(client)}: {_said(client, error)} ({advice})")


def state_after(error: BaseException) -> RedisState:
    """Return whether Redis was away or refused, judging by the error of a failed attempt."""
    cause = error.__cause__ if isinstance(error, RedisUnavailable) else error
    return _judged(cause or error)[0]


def _judged(error: BaseException) -> tuple[RedisState, str]:
    return next((state, advice) for kind, state, advice in _ADVICE if isinstance(error, kind))


def _address(client: redis.asyncio.Redis | redis.Redis) -> str:
    known = client.connection_pool.connection_kwargs
    place = known.get("path") or f"{known.get('host', 'localhost')}:{known.get('port', 6379)}"
    return f"{place} (db {known.get('db', 0)})"


def _said(client: redis.asyncio.Redis | redis.Redis, error: BaseException) -> str:
    """Return what the error says; of a failed connect only why, as the address stands beside."""
    reason = error.__cause__ or error.__context__
    is_of_kernel = isinstance(reason, OSError) and not isinstance(reason, ssl.SSLError | socket.gaierror)
    if isinstance(error, redis.ConnectionError) and is_of_kernel and (number := getattr(reason, "errno", 0)):
        return os.strerror(number)
    text = (str(error) or type(error).__name__).rstrip(".")[:_SAID_CHARACTERS]
    password = client.connection_pool.connection_kwargs.get("password")
    return text.replace(str(password), "***") if password else text
