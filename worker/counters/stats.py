"""Count for Redis beside the stream: the main thread only adds, another thread writes once a second."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import redis

from traptor.common.logs.event import fields, lifecycle
from traptor.common.logs.throttle import Tally
from traptor.common.redis.client import blocking_redis_client, state_after
from traptor.common.redis.state import RedisState
from traptor.common.rules.rule import Rule
from traptor.worker.counters.store import CounterStore
from traptor.worker.counters.tick import Matched, Tick

log = logging.getLogger(__name__)

FLUSH_INTERVAL_S = 1.0


client_for_stats = lru_cache(maxsize=1)(blocking_redis_client)
"""Returns the client; a worker has it from its parent where that was asked for the same."""


class Stats:
    """Counts what one generation receives; an outage of Redis loses only members of the rolling sets.

    Only the main thread calls `received` and `limited`. They take no lock: the writing thread swaps the tick
    away from them and reads it only one tick later, when no call can still be using it.
    """

    def __init__(
        self,
        name: str,
        rules: Sequence[Rule],
        client: redis.Redis,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take the group's (or connection's) name, and the rules that `received` refers to."""
        self._clock = clock
        self._store = CounterStore(name, rules, client)  # connects at the first write
        self._live = Tick(clock())
        self._settling = Tick(clock())
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stats", daemon=True)
        self._tally = Tally()
        self._said_at: float | None = None  # when a failed write was last logged
        self.redis: tuple[RedisState, str] = (RedisState.UNKNOWN, "")  # of the last attempt, with its error

    def start(self) -> None:
        """Start writing."""
        self._thread.start()

    def received(self, rules: Sequence[int]) -> None:
        """Count a tweet, and the rules (indexes) that it matched."""
        tick = self._live
        tick.received += 1
        if rules:
            tick.matched += 1
            matches = tick.matches
            for index in rules:
                matches[index] = matches.get(index, 0) + 1

    def received_for(self, rules: Sequence[Rule], matched: Sequence[Matched]) -> None:
        """Count tweets by what was found for each: indexes in a sequence of rules, which may change."""
        tick = self._live
        tick.received += len(matched)
        tick.part(rules).tweets.update(matched)

    def held(self, rules: Iterable[int]) -> None:
        """Count matches of rules (indexes) that their rate limits keep from being delivered."""
        counts = self._live.held
        for index in rules:
            counts[index] = counts.get(index, 0) + 1

    def held_for(self, rules: Sequence[Rule], held: Iterable[int]) -> None:
        """Do as `held`, by the indexes of rules in a sequence, which may change."""
        counts = self._live.part(rules).held
        for index in held:
            counts[index] = counts.get(index, 0) + 1

    def limited(self, delta: int) -> None:
        """Count tweets that the server withheld."""
        self._live.limited += delta

    def stop(self, timeout_s: float) -> None:
        """Write what is left, within `timeout_s`. Call this when nothing is counted any more."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopping.wait(FLUSH_INTERVAL_S):
            self._write(self._next_tick())
        for _ in range(2):  # the settling one, and the live one
            self._write(self._next_tick())
        self._store.close()

    def _next_tick(self) -> Tick:
        settled = self._settling
        self._settling, self._live = self._live, Tick(self._clock())
        return settled

    def _write(self, tick: Tick) -> None:
        try:
            was_asked = self._store.write(tick, self._clock())
        except Exception as error:  # noqa: BLE001  # whatever Redis or its client does, counting goes on
            self._failed(error)
        else:
            if was_asked:
                self._worked()

    def _failed(self, error: Exception) -> None:
        now, said = time.monotonic(), self._store.described(error)
        self.redis = state_after(error), said
        if self._tally.add("not written"):
            self._said_at = self._said_at or now
            log.warning("counters are not written", extra=fields(error=said))

    def _worked(self) -> None:
        self.redis = RedisState.OK, ""
        if self._said_at is not None:
            failed_s = round(time.monotonic() - self._said_at, 1)
            log.info("counters are written again", extra=lifecycle(failed_s=failed_s))
        self._said_at = None
