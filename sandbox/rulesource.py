"""Rules as a collector finds them in Redis: hashes `traptor-<type>:<id>:<rule_id>`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import redis.asyncio
from redis.exceptions import RedisError

from traptor.sandbox.errors import BadInput
from traptor.sandbox.tweets.rules import Rule
from traptor.sandbox.tweets.values import FilterType, Value, parse_values

_PREFIX = b"traptor-"
_KEYS_AT_ONCE = 500
_TIMEOUT_S = 5.0
_START_S = 5.0
_TRY_AGAIN_S = 0.1
_LOOK_EVERY_S = 2.0
_REST_SHARE = 5  # rest at least this many times as long as a look took
_FIELDS = ("value", "orig_type", "status")

Take = Callable[[list[Rule], list[Value]], None]
Tell = Callable[[str], None]


class RedisRules:
    """Has tweets made for the rules of all groups in a Redis, and updates them on changes."""

    def __init__(self, url: str, take: Take, tell: Tell) -> None:
        try:
            self._client = redis.asyncio.Redis.from_url(
                url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
            )
        except ValueError:
            raise BadInput("--redis: a URL such as redis://127.0.0.1:6379/0 is expected") from None
        self._take = take
        self._tell = tell
        self._found: list[Rule] | None = None
        self._is_away = False

    async def begin(self) -> None:
        """Load the present rules; wait for a Redis that is just starting.

        Raises BadInput when Redis cannot be asked.
        """
        ends = time.monotonic() + _START_S
        while self._found is None:
            try:
                await self._look()
            except (RedisError, OSError) as problem:
                if time.monotonic() >= ends:
                    await self._client.aclose()
                    raise BadInput(f"--redis: {_said(problem)}; check the URL and that it runs") from None
                await asyncio.sleep(_TRY_AGAIN_S)

    async def follow(self) -> None:
        """Follow changes until cancelled."""
        try:
            while True:
                began = time.monotonic()
                await self._look_again()
                await asyncio.sleep(max(_LOOK_EVERY_S, _REST_SHARE * (time.monotonic() - began)))
        finally:
            await self._client.aclose()

    async def _look_again(self) -> None:
        try:
            await self._look()
            self._is_away = False
        except (RedisError, OSError) as problem:
            if not self._is_away:
                self._tell(f"Redis cannot be asked, the rules stay as they are: {_said(problem)}")
            self._is_away = True

    async def _look(self) -> None:
        found = [rule async for rule in self._rules()]
        if found != self._found:
            self._found = found
            self._take_over(found)

    def _take_over(self, found: list[Rule]) -> None:
        rules: list[Rule] = []
        values: list[Value] = []
        for rule in found:
            try:
                values += parse_values(FilterType.parse(rule["type"]), rule["value"])
            except BadInput:
                continue
            rules.append(rule)
        self._take(rules, values)
        self._tell(_summary(len(rules), len(found) - len(rules)))

    async def _rules(self) -> AsyncIterator[Rule]:
        for keys in _slices(sorted([key async for key in self._client.scan_iter(_PREFIX + b"*:*:*")])):
            async with self._client.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.hmget(key, _FIELDS)
                replies = await pipeline.execute(raise_on_error=False)
            for key, reply in zip(keys, replies, strict=True):
                if (rule := _rule(key, reply)) is not None:
                    yield rule


def _slices(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        yield keys[start : start + _KEYS_AT_ONCE]


def _rule(key: bytes, reply: object) -> Rule | None:
    """Return the rule of one hash, or None when there is none or it is switched off."""
    kind = key.removeprefix(_PREFIX).partition(b":")[0].decode(errors="replace")
    if not isinstance(reply, list) or kind not in (*FilterType, "location"):
        return None
    value, original_type, status = (
        field.decode(errors="replace").strip() if isinstance(field, bytes) else "" for field in reply
    )
    if not value or status.lower() not in ("", "active"):
        return None
    if kind == FilterType.TRACK and original_type.lower() == "hashtag":
        value = _as_hashtags(value)
    return {"type": kind, "value": value}


def _as_hashtags(value: str) -> str:
    phrases = ([f"#{term.removeprefix('#')}" for term in phrase.split()] for phrase in value.split(","))
    return ",".join(" ".join(terms) for terms in phrases)


def _summary(count: int, skipped: int) -> str:
    if not count:
        return "Redis has no rules yet: tweets are made for none; new rules are taken within seconds"
    noted = f"; left out as they cannot be used: {skipped}" if skipped else ""
    return f"tweets are made for {count} {'rule' if count == 1 else 'rules'} of Redis{noted}"


def _said(problem: Exception) -> str:
    """Return the problem on one line; a server may send any text."""
    text = " ".join(str(problem).split()) or type(problem).__name__
    return "".join(char if char.isprintable() else "?" for char in text)
