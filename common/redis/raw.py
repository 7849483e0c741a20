"""Read raw replies of Redis, so that callers can skip parsing bytes they have seen before."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import hiredis
import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, ResponseError

_READ_BYTES = 1 << 18
_TOKEN_BYTES = 8


def packed(*words: bytes) -> bytes:
    """Return a command in the form that Redis reads."""
    return b"".join((b"*%d\r\n" % len(words), *(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)))


def unpacked(replies: bytes) -> list[Any]:
    """Parse these bytes into replies; errors become ResponseError. Raises InvalidResponse."""
    reader = hiredis.Reader(protocolError=InvalidResponse, replyError=ResponseError)
    reader.feed(replies)
    return list(iter(reader.gets, False))


class RawConnection:
    """One connection to Redis, reserved for the caller."""

    def __init__(self, connection: redis.asyncio.Connection) -> None:
        self._connection = connection

    async def ask(self, commands: bytes, count: int) -> bytes | None:
        """Send `count` packed commands and return their replies, or None when the server refused a PING.

        Raises redis-py's errors and OSError.
        """
        # A token at the end that cannot occur in a rule tells that all replies have arrived.
        token = secrets.token_hex(_TOKEN_BYTES).encode()
        await self._connection.send_packed_command(commands + packed(b"PING", token))
        return await self._replies(b"$%d\r\n%b\r\n" % (len(token), token), count)

    async def _replies(self, end: bytes, count: int) -> bytes | None:
        # redis-py has no public way to the raw bytes; its parser has read none of these.
        reader = self._connection._reader
        assert reader is not None
        replies = bytearray()
        while not replies.endswith(end):
            async with asyncio.timeout(self._connection.socket_timeout):
                piece = await reader.read(_READ_BYTES)
            if not piece:
                raise RedisConnectionError("Connection closed by server.")
            replies += piece
            if _is_all(replies, end, count):
                return None
        return bytes(memoryview(replies)[: -len(end)])


@asynccontextmanager
async def raw_connection(client: redis.asyncio.Redis) -> AsyncIterator[RawConnection]:
    """Lend one of the client's connections; after a failure it is closed, since replies may still arrive."""
    connection = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call]  # of redis-py
    try:
        yield RawConnection(connection)
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    finally:
        await client.connection_pool.release(connection)


def hgetall(keys: Iterable[str]) -> bytes:
    """Return the commands that read these hashes."""
    return b"".join(packed(b"HGETALL", key.encode()) for key in keys)


def _is_all(replies: bytearray, end: bytes, count: int) -> bool:
    """Tell whether every command is answered, the last not with `end`; costly, so call it rarely."""
    if replies.endswith(end) or not replies.endswith(b"\r\n"):
        return False
    return len(unpacked(bytes(replies))) > count
