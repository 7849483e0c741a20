"""Write the workers' counters to Redis.

- `stats:<type>:<id>:<rule_id>`: a sorted set with a member `<time>.<n>` for each match of the last 900 s, at
  most 50 per second and process; score unix time; readers use ZCARD. `n` counts up from a random number, so
  that no two processes write the same member. Older members leave within 10 s; an idle set expires.
- `limit:<type>:<id>`: a sorted set with a member `<time>:<delta>` for each second of the last 900 s in which
  the server withheld tweets.
- `traptor:totals:<type>:<id>`: a hash of exact totals over all workers ever: `received`, `matched` and
  `limited` tweets, and matches by rule, each under the name that follows `stats:`.
- `traptor:totals:<connection>`, when a connection carries several groups: `received` and `matched` tweets of
  all; only it has `received`, as a tweet is received for the connection.
- `traptor:totals:<type>:<id>:held`: matches by rule that a rate limit kept from being delivered.
- `traptor:totals:<...>:last`, `:first`, `:hour:<hour>`: of each rule; see `batches`.
- `traptor:totals:<...>:batch:<writer>`: number of the last batch of totals from one process, for a day.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence

import redis

from traptor.common.redis.client import done, unavailable
from traptor.common.rules.rule import Rule
from traptor.worker.counters.batches import Unsent, send_totals
from traptor.worker.counters.tick import Tick

WINDOW_S = 900
TRIM_INTERVAL_S = 10.0
# The sorted sets show rates, not totals: more members of a busy rule would only cost memory.
MOST_A_SECOND = 50
_PIPELINE_COMMANDS = 1000

Command = tuple[str | int | float, ...]


def _totals_key(name: str) -> str:
    return f"traptor:totals:{name}"


def match_members(began: float, count: int, numbers: Iterator[int]) -> dict[str, float]:
    """Return members `<time>.<n>` and their scores, for `count` matches of one rule."""
    return {f"{int(began)}.{next(numbers)}": began for _ in range(min(count, MOST_A_SECOND))}


class CounterStore:
    """Writes ticks to Redis; used by one thread. Totals that could not be written go with the next tick."""

    def __init__(self, name: str, rules: Sequence[Rule], client: redis.Redis) -> None:
        """Take the group's (or connection's) name, and the rules that indexes in ticks refer to."""
        rng = random.SystemRandom()
        self._rules = rules
        self._limit_key = f"limit:{name}"
        self._name = name
        self._writer = f"{rng.getrandbits(64):016x}"
        self._numbers = itertools.count(rng.getrandbits(48))
        self._unsent: dict[str, Unsent] = {name: Unsent()}  # by group or connection
        self._written: dict[str, float] = {}  # sorted sets, with the time of the last write
        self._next_trim = 0.0
        self._client = client  # made by `blocking_redis_client`

    def write(self, tick: Tick, now: float) -> None:
        """Write a tick at `now` (unix time).

        Raises any error of Redis or its client; then members are lost but no totals, and the connection is
        new.
        """
        try:
            self._write(tick, now)
        except Exception:
            self._client.connection_pool.disconnect()
            raise

    def _write(self, tick: Tick, now: float) -> None:
        for name, counts in tick.totals(self._name, self._rules).items():
            self._unsent.setdefault(name, Unsent()).later.update(counts)
        waiting = [name for name, unsent in self._unsent.items() if unsent.is_waiting]
        if not waiting:  # otherwise an idle worker would not notice that Redis is away
            self._run((("EXISTS", _totals_key(self._name)),))
        for name in waiting:
            send_totals(self._client, _totals_key(name), self._writer, self._unsent[name], tick.began)
        self._run(self._add(tick))
        if now >= self._next_trim:
            self._run(self._trim(now))
            self._next_trim = now + TRIM_INTERVAL_S

    def described(self, error: Exception) -> str:
        """Return a description of a failed write's error, without a password."""
        return str(unavailable(self._client, error))

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _add(self, tick: Tick) -> Iterable[Command]:
        sets = {
            f"stats:{name}": match_members(tick.began, count, self._numbers)
            for (_, name), count in tick.by_rule(self._rules).items()
        }
        if tick.limited:
            sets[self._limit_key] = {f"{tick.began:.6f}:{tick.limited}": tick.began}
        for key, members in sets.items():
            self._written[key] = tick.began
            yield ("ZADD", key, *(part for member, score in members.items() for part in (score, member)))
            yield ("EXPIRE", key, WINDOW_S)

    def _trim(self, now: float) -> Iterable[Command]:
        oldest = now - WINDOW_S
        for key, written in list(self._written.items()):
            if written < oldest:
                del self._written[key]
            yield ("ZREMRANGEBYSCORE", key, "-inf", f"({oldest:f}")

    def _run(self, commands: Iterable[Command]) -> None:
        """Send the commands in pipelines. Raises the first error, after the rest of its pipeline."""
        remaining = iter(commands)
        while some := list(itertools.islice(remaining, _PIPELINE_COMMANDS)):
            with self._client.pipeline(transaction=False) as pipeline:
                for command in some:
                    pipeline.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py has no types
                done(len(some))(pipeline.execute())
