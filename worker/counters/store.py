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

import random
from collections.abc import Iterator, Sequence

import redis

from traptor.common.redis.client import done, unavailable
from traptor.common.rules.rule import Rule
from traptor.worker.counters.batches import Command, Unsent, totals_command
from traptor.worker.counters.members import WINDOW_S, Trimming, added
from traptor.worker.counters.tick import Tick

_QUIET_TICKS = 5  # in a row with nothing to write: then Redis is asked, or no outage would be noticed


def _totals_key(name: str) -> str:
    return f"traptor:totals:{name}"


class CounterStore:
    """Writes ticks to Redis; used by one thread. Totals that could not be written go with the next tick."""

    def __init__(self, name: str, rules: Sequence[Rule], client: redis.Redis) -> None:
        """Take the group's (or connection's) name, and the rules that indexes in ticks refer to."""
        rng = random.SystemRandom()
        self._rules = rules
        self._limit_key = f"limit:{name}"
        self._name = name
        self._writer = f"{rng.getrandbits(64):016x}"
        self._number = rng.getrandbits(48)
        self._unsent: dict[str, Unsent] = {name: Unsent()}  # by group or connection
        self._trimming = Trimming()
        self._quiet = 0  # ticks since Redis answered
        self._client = client  # made by `blocking_redis_client`

    def write(self, tick: Tick, now: float) -> bool:
        """Write a tick at `now` (unix time), and return whether Redis was asked anything.

        Raises any error of Redis or its client; then members are lost but no totals, and the connection is
        new.
        """
        try:
            return self._write(tick, now)
        except Exception:
            self._client.connection_pool.disconnect()
            raise

    def _write(self, tick: Tick, now: float) -> bool:
        """Send all in one pipeline; after an outage the totals counted in it follow in one more."""
        for name, counts in tick.totals(self._name, self._rules).items():
            self._unsent.setdefault(name, Unsent()).later.update(counts)
        more = [*self._members(tick), *self._trimming.commands(now)]
        if not (more or self._waiting()):
            self._quiet += 1
            if self._quiet < _QUIET_TICKS:
                return False
            more = [("EXISTS", _totals_key(self._name))]
        while (waiting := self._waiting()) or more:
            self._send(waiting, tick.began, more)
            more = []
        self._quiet = 0
        return True

    def _waiting(self) -> list[str]:
        return [name for name, unsent in self._unsent.items() if unsent.is_waiting]

    def _send(self, waiting: Sequence[str], at: float, more: Sequence[Command]) -> None:
        """Send the next batch of totals of each name, and more. Raises the first error of any."""
        unsent = [self._unsent[name] for name in waiting]
        batches = [
            totals_command(_totals_key(name), self._writer, one, at)
            for name, one in zip(waiting, unsent, strict=True)
        ]
        with self._client.pipeline(transaction=False) as pipeline:
            for command in (*batches, *more):
                pipeline.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py has no types
            replies = pipeline.execute(raise_on_error=False)
        errors = [reply for reply in replies if isinstance(reply, Exception)]
        done(len(batches) + len(more) - len(errors))([r for r in replies if not isinstance(r, Exception)])
        for one, reply in zip(unsent, replies, strict=False):
            if not isinstance(reply, Exception):
                one.was_taken()
        if errors:
            raise errors[0]

    def described(self, error: Exception) -> str:
        """Return a description of a failed write's error, without a password."""
        return str(unavailable(self._client, error))

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _members(self, tick: Tick) -> Iterator[Command]:
        """Yield what adds to the sorted sets."""
        sets = {f"stats:{name}": count for (_, name), count in tick.by_rule(self._rules).items()}
        if sets:
            yield from added(sets, tick.began, self._number)
            self._number += sum(sets.values())
        if tick.limited:
            yield ("ZADD", self._limit_key, tick.began, f"{tick.began:.6f}:{tick.limited}")
            yield ("EXPIRE", self._limit_key, WINDOW_S)
        self._trimming.written([*sets, *([self._limit_key] if tick.limited else [])], tick.began)
