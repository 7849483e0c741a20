"""Replies of Redis as they came, unread: equal bytes need no second reading."""

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
    """Return a command as Redis reads it."""
    return b"".join((b"*%d\r\n" % len(words), *(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)))


def unpacked(replies: bytes) -> list[Any]:
    """Return the replies that these bytes are: errors as ResponseError. Raises InvalidResponse."""
    reader = hiredis.Reader(protocolError=InvalidResponse, replyError=ResponseError)
    reader.feed(replies)
    return list(iter(reader.gets, False))


class RawConnection:
    """One connection, on which nobody else may ask meanwhile."""

    def __init__(self, connection: redis.asyncio.Connection) -> None:
        self._connection = connection

    async def ask(self, commands: bytes, count: int) -> bytes | None:
        """Send `count` packed commands and return their replies; None when the server refused a PING.

        Raises redis-py's errors and OSError.
        """
        # What stands at the end and cannot stand in a rule says that all has come.
        token = secrets.token_hex(_TOKEN_BYTES).encode()
        await self._connection.send_packed_command(commands + packed(b"PING", token))
        return await self._replies(b"$%d\r\n%b\r\n" % (len(token), token), count)

    async def _replies(self, end: bytes, count: int) -> bytes | None:
        # redis-py has no public way to the bytes; its parser has read nothing of these.
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
    """Lend a connection of the client's. After a failure it is closed: replies may still be on their way."""
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
    """Whether every command is answered, the last one otherwise than with `end`: to be asked seldom."""
    if replies.endswith(end) or not replies.endswith(b"\r\n"):
        return False
    return len(unpacked(bytes(replies))) > count
