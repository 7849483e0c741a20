"""Measure how long a connection is without a stream when its key fails and a spare is free.

By the server's own record: from the end of one stream to the 200 of the next. The waits of the keys and the
pace of connects are the defaults, so a failed key rests far longer than is measured here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from support.collection import Collection, Json
from support.waiting import wait_for

from benchmarks.figures import Effort, Figure
from benchmarks.stage import stage

_GROUP = "track:0"
# each waits until the stream is old enough that its end does not count as a failure of the key
_MOST_ROUNDS = 3
_LASTING_S = 10.5
_TARGET_S = 2.0
_DEFAULTS = {"connects": 5, "connect_rate": 2, "http_backoff": "5s", "rate_limit_backoff": "60s"}
_FAR_AWAY = "192.0.2.7"  # assigned to no host (RFC 5737)


@dataclass(frozen=True)
class _Case:
    """One fate of the key that streams; the options are those of `[twitter]`."""

    name: str
    strike: Callable[[Collection, str], None]
    asks_again: bool = False  # the key is tried once more before the connection leaves it
    options: tuple[tuple[str, object], ...] = ()


def failover(effort: Effort) -> list[Figure]:
    """Measure the failover when a key is refused, limited, closed again or used up, or when it changes."""
    rounds = min(effort.rounds, _MOST_ROUNDS)
    cases = _CASES if rounds > 1 else _CASES[:: len(_CASES) - 1]  # one round only shows that it works
    return [_at_start(rounds), *(_measured(case, rounds) for case in cases)]


def _at_start(rounds: int) -> Figure:
    """Measure from the first connect, which is refused."""
    taken = []
    for _ in range(rounds):
        with _collection(keys=2) as collection:
            collection.sandbox.fault("status", status=401, account="key-0")
            collection.start()
            stream = wait_for(lambda: _open(collection), "a stream")
            taken.append(stream["opened_mono"] - collection.sandbox.attempts()[0]["at_mono"])
    return _figure("first connect answered 401", taken)


def _measured(case: _Case, rounds: int) -> Figure:
    with _collection(keys=rounds + 1, **dict(case.options)) as collection:
        collection.start()
        collection.wait_streaming(_GROUP)
        return _figure(case.name, [_round(case, collection) for _ in range(rounds)])


def _round(case: _Case, collection: Collection) -> float:
    old = wait_for(lambda: _lasting(collection), "a stream that has lasted", 2 * _LASTING_S + 30)
    case.strike(collection, old["account"])
    new = wait_for(lambda: _next(collection, old), "a stream with another key")
    ended = wait_for(lambda: _record(collection, old["id"])["closed_mono"], "the end of the old stream")
    if case.asks_again != _is_asked_after(collection, old):
        raise RuntimeError(f"{case.name}: something else was measured")
    return max(0.0, new["opened_mono"] - ended)


@contextmanager
def _collection(keys: int, **twitter: object) -> Iterator[Collection]:
    with stage(keys, max_connections=1) as collection:
        collection.options["twitter"] = {**_DEFAULTS, **twitter}
        collection.add_rules(_GROUP, ["storm"])
        # Bytes have to arrive: a stream is as old as its last byte.
        collection.sandbox.set_rules([("track", "storm")])
        collection.sandbox.set_rate(20)
        yield collection


def _figure(name: str, taken: list[float]) -> Figure:
    return Figure.of("failover", name, "s", taken, at_most=_TARGET_S)


# ---- the server's record


def _open(collection: Collection) -> Json | None:
    found = [one for one in collection.sandbox.connections() if one["closed_mono"] is None]
    return found[-1] if found else None


def _lasting(collection: Collection) -> Json | None:
    stream = _open(collection)
    return stream if stream and stream["opened_mono"] + _LASTING_S < time.monotonic() else None


def _next(collection: Collection, old: Json) -> Json | None:
    later = [
        one
        for one in collection.sandbox.connections()
        if one["id"] > old["id"] and one["account"] != old["account"]
    ]
    return later[0] if later else None


def _record(collection: Collection, number: int) -> Json:
    return next(one for one in collection.sandbox.connections() if one["id"] == number)


def _is_asked_after(collection: Collection, old: Json) -> bool:
    """Tell whether the key of this stream connected again, or tried to."""
    key = f"ck-{old['account']}"
    return any(
        one["consumer_key"] == key and one["at_mono"] > old["opened_mono"] + _LASTING_S
        for one in collection.sandbox.attempts()
    )


# ---- what happens to the key


def _answered(status: int, **members: Any) -> Callable[[Collection, str], None]:
    def strike(collection: Collection, key: str) -> None:
        collection.sandbox.fault("status", account=key, status=status, **members)
        collection.sandbox.fault("close", account=key)

    return strike


def _limited_until_reset(collection: Collection, key: str) -> None:
    headers = {"x-rate-limit-reset": str(int(time.time()) + 900)}
    _answered(429, headers=headers)(collection, key)


def _closed_again(collection: Collection, key: str) -> None:
    collection.sandbox.fault("close_after", account=key, after=0)
    collection.sandbox.fault("close", account=key)


def _closed_once(collection: Collection, key: str) -> None:
    collection.sandbox.fault("close", account=key)


def _removed(collection: Collection, key: str) -> None:
    collection.keys = [one for one in collection.keys if one.name != key]
    collection.write_ini()


def _rotated(collection: Collection, key: str) -> None:
    collection.keys = [
        replace(one, consumer_secret="SECRET-new") if one.name == key else one for one in collection.keys
    ]
    collection.set_accounts()
    collection.write_ini()


def _address_gone(collection: Collection, key: str) -> None:
    collection.keys = [
        replace(one, source_address=_FAR_AWAY) if one.name == key else one for one in collection.keys
    ]
    collection.write_ini()


_CASES = (
    _Case("reconnect answered 401", _answered(401), asks_again=True),
    _Case("reconnect answered 403", _answered(403), asks_again=True),
    _Case("reconnect answered 420", _answered(420), asks_again=True),
    _Case("reconnect answered 429, Retry-After 600 s", _answered(429, retry_after=600), asks_again=True),
    _Case("reconnect answered 429, x-rate-limit-reset in 900 s", _limited_until_reset, asks_again=True),
    _Case("reconnect closed right after its 200", _closed_again, asks_again=True),
    _Case("stream closed, no connect left", _closed_once, options=(("connects", 1),)),
    _Case("key removed from the file", _removed),
    _Case("key's secret rotated", _rotated),
    _Case("key's source address gone, at a reload", _address_gone),
)
