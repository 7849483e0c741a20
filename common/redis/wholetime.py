"""Limit the time of a whole answer of Redis: the limit of a single read begins anew with every byte."""

from __future__ import annotations

import math
import time
from typing import Any

import redis
import redis.asyncio
from redis.connection import Connection, DefaultParser, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import TimeoutError as RedisTimeoutError

_READS = 4  # as long as so many single reads may an answer take, however many replies it has


def whole_s(client: redis.asyncio.Redis | redis.Redis) -> float:
    """Return how long the whole answer to what is sent together may take, in seconds."""
    return _READS * float(client.connection_pool.connection_kwargs["socket_timeout"])


def overdue(within_s: float) -> RedisTimeoutError:
    """Return the error to raise when an answer is not whole within its time."""
    return RedisTimeoutError(f"no whole answer within {within_s:g} s")


def limit(client: redis.Redis) -> None:
    """Have the connections of a new client keep to it."""
    pool = client.connection_pool
    pool.connection_class = _LIMITED[pool.connection_class]
    pool.connection_kwargs["parser_class"] = _Parser


class _Parser(DefaultParser):  # type: ignore[misc, valid-type]  # one of two classes, as hiredis is there or not
    """Reads no more of an answer once its time is over."""

    _socket_timeout = math.inf  # until it is connected
    _until = math.inf

    def begin(self) -> None:
        """Wait for an answer from now on."""
        self._until = time.monotonic() + _READS * self._socket_timeout

    def read_from_socket(self, *args: Any, raise_on_timeout: bool = True, **options: Any) -> bool:
        """Read some bytes; without `raise_on_timeout` it waits for no answer. Raises redis-py's errors."""
        if raise_on_timeout and time.monotonic() > self._until:
            raise overdue(_READS * self._socket_timeout)
        return bool(super().read_from_socket(*args, raise_on_timeout=raise_on_timeout, **options))


class _Limited:
    """Counts the time of an answer from when the commands are sent."""

    _parser: Any

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Send commands. Raises redis-py's errors."""
        self._parser.begin()
        super().send_packed_command(command, check_health)  # type: ignore[misc]  # of the connection


class _LimitedTcp(_Limited, Connection):
    pass


class _LimitedTls(_Limited, SSLConnection):
    pass


class _LimitedUnix(_Limited, UnixDomainSocketConnection):
    pass


_LIMITED = {
    Connection: _LimitedTcp,
    SSLConnection: _LimitedTls,
    UnixDomainSocketConnection: _LimitedUnix,
}
