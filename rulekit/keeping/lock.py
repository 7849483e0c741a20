"""A lock on the rules of a type, so that of two loaders one waits; it expires when its holder is gone."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis
from psutil import pid_exists
from redis.exceptions import LockError, LockNotOwnedError, WatchError
from redis.lock import Lock

from traptor.common.errors import TraptorError
from traptor.common.redis.client import REDIS_ERRORS, unavailable
from traptor.common.rules.rule import RuleType
from traptor.common.text import cut, printable

EXPIRY_S = 30.0
_RETRY_S = 0.2
_HOLDER = re.compile(r", pid (?P<pid>[0-9]{1,9}) on (?P<host>.+) \[[0-9a-f]+\]$")


class LockedByAnother(TraptorError):
    """Somebody else is changing rules of the same type."""


class LoaderLock:
    """Holds the right to change the rules of one type."""

    def __init__(self, client: redis.Redis, rule_type: RuleType, who: str) -> None:
        self._client = client
        self._type = rule_type
        self.key = f"traptor:lock:{rule_type}"
        self.token = f"{who}, pid {os.getpid()} on {socket.gethostname()} [{os.urandom(4).hex()}]"
        self._lock = Lock(client, self.key, timeout=EXPIRY_S, sleep=_RETRY_S, thread_local=False)

    def take(self, wait_s: float, say: Callable[[str], None]) -> None:
        """Take the lock, waiting for another holder. Raises LockedByAnother and RedisUnavailable."""
        if self._lock.acquire(blocking=False, token=self.token):
            return
        self._end_orphan()
        if self._lock.acquire(blocking=False, token=self.token):
            return
        if wait_s:
            say(f"waiting for {self._holder()}, who changes {self._type} rules")
        ends = time.monotonic() + wait_s
        while time.monotonic() < ends:
            if self._lock.acquire(blocking_timeout=ends - time.monotonic(), token=self.token):
                return
        raise LockedByAnother(
            f"{self._holder()} is changing {self._type} rules; nothing was changed: try again"
        )

    def renew(self) -> None:
        """Hold the lock for its full time again. Raises LockedByAnother when it has expired."""
        try:
            self._lock.reacquire()
        except LockNotOwnedError:
            raise self.lost() from None

    def lost(self) -> LockedByAnother:
        """Return the error for a lock that expired while it was held."""
        return LockedByAnother(
            f"the lock on {self._type} rules expired meanwhile: this process was stopped for"
            f" {EXPIRY_S:g} s; run the command again"
        )

    def release(self) -> None:
        """Give the lock back; one that is already lost, or whose Redis is gone, expires by itself."""
        try:
            self._lock.release()
        except (LockError, *REDIS_ERRORS):
            pass

    def _end_orphan(self) -> None:
        """Delete the lock of a process of this host that is gone; the others' expire."""
        with self._client.pipeline() as pipeline:
            pipeline.watch(self.key)  # type: ignore[no-untyped-call]  # redis-py has no types here
            raw = self._client.get(self.key)
            holder = _HOLDER.search(raw.decode(errors="replace")) if isinstance(raw, bytes) else None
            if holder is None or holder["host"] != socket.gethostname() or pid_exists(int(holder["pid"])):
                return
            pipeline.multi()
            pipeline.delete(self.key)
            try:
                pipeline.execute()
            except WatchError:
                pass  # it has another holder now

    def _holder(self) -> str:
        raw = self._client.get(self.key)
        text = raw.decode(errors="replace") if isinstance(raw, bytes) else "another loader"
        return cut(printable(text.partition(" [")[0]), 100)


@contextmanager
def locked(
    client: redis.Redis, rule_type: RuleType, who: str, wait_s: float, say: Callable[[str], None]
) -> Iterator[LoaderLock]:
    """Hold the lock. Raises LockedByAnother and RedisUnavailable."""
    lock = LoaderLock(client, rule_type, who)
    try:
        lock.take(wait_s, say)
    except REDIS_ERRORS as error:
        raise unavailable(client, error) from error
    try:
        yield lock
    finally:
        lock.release()
