"""Measure how long a supervisor with very many groups takes to end after TERM."""

from __future__ import annotations

import contextlib
import signal
import time
from dataclasses import dataclass
from typing import Any

import psutil
import redis
from support.waiting import wait_for

from benchmarks.figures import Effort, Figure
from benchmarks.rules import rule_fields
from benchmarks.stage import stage

_WITHIN_S = 30.0  # the default drain_timeout
_UP_WITHIN_S = 600.0
_LOOK_S = 0.005
_PIPELINE = 1_000  # commands


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop."""

    wall_s: float
    cpu_s: float  # of the master


def stop(effort: Effort) -> list[Figure]:
    """Measure TERM with as many groups as the look has rules; none of them has a key."""
    most = watched_stop(effort.many_rules)
    name = f"TERM with {effort.many_rules:,} groups"
    return [
        Figure.of("stop", f"{name}: until its exit", "s", [most.wall_s], at_most=_WITHIN_S),
        Figure.of("stop", f"{name}: CPU of the master", "s", [most.cpu_s]),
    ]


def watched_stop(count: int) -> Stop:
    """Start a supervisor with so many groups, of one rule each, and stop it as soon as all are planned.

    That is the longest stop: much of what the ledger should know of the start is not written yet.
    """
    with stage(0, rules_check_interval="600s") as collection:
        _load_groups(collection.redis, count)
        collection.start()
        wait_for(lambda: len(collection.status()["connections"]) == count, "all are planned", _UP_WITHIN_S)
        assert collection.process is not None
        master = psutil.Process(collection.process.pid)
        before_s, began = _cpu_s(master), time.monotonic()
        cpu_s = before_s
        collection.signal(signal.SIGTERM)
        while collection.process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                cpu_s = max(cpu_s, _cpu_s(master))
            time.sleep(_LOOK_S)
        wall_s = time.monotonic() - began
        assert collection.process.returncode == 0
        return Stop(wall_s, cpu_s - before_s)


def _load_groups(client: redis.Redis, count: int) -> None:
    """Write so many groups of one rule each to Redis."""
    with client.pipeline(transaction=False) as pipeline:
        for number in range(count):
            fields: dict[Any, Any] = {**rule_fields("track", 0, f"storm {number}")}
            pipeline.hset(f"traptor-track:{number}:0", mapping=fields)
            if len(pipeline) >= _PIPELINE:
                pipeline.execute()
        pipeline.execute()


def _cpu_s(process: psutil.Process) -> float:
    """Return the CPU seconds of a process without its children until now."""
    times = process.cpu_times()
    return float(times.user + times.system)
