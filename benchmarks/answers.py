"""Measure how soon the API answers while many workers stream and one ends again and again."""

from __future__ import annotations

import os
import signal
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from support.collection import Collection
from support.control import get

from benchmarks.figures import Effort, Figure
from benchmarks.rules import track_rules
from benchmarks.stage import load_rules, stage

_PATHS = ("/api/status", "/api/problems", "/metrics")
_TWEETS_A_SECOND = 5  # of each worker
_MOST_MS = 50
_REQUESTS = 300  # of each path, in a full round
_PAUSE_S = 0.02
_KILL_EVERY_S = 0.2
_UP_WITHIN_S = 120.0


def answers(effort: Effort) -> list[Figure]:
    """Measure each path by the 99th percentile of its answers, a connection for each request."""
    count = effort.connections[0]
    crashing = f"track:{count}"
    with stage(count + 1, max_connections=1) as collection:
        for number in range(count + 1):
            load_rules(collection.redis, track_rules(5, seed=number), group=f"track:{number}")
        words = [("track", ",".join(rule.values)) for n in range(count) for rule in track_rules(5, seed=n)]
        collection.sandbox.set_rules(words)
        collection.start()
        collection.wait_streaming(*(f"track:{n}" for n in range(count + 1)), within_s=_UP_WITHIN_S)
        collection.sandbox.set_rate(_TWEETS_A_SECOND * count)
        with _killed_again_and_again(collection, crashing):
            return [figure for path in _PATHS for figure in _figures(collection, path, count, effort)]


def _figures(collection: Collection, path: str, count: int, effort: Effort) -> Iterator[Figure]:
    rounds = [
        _round_ms(collection.run_dir / "control.sock", path, effort) for _ in range(min(effort.rounds, 3))
    ]
    name = f"{path}, {count} workers stream, one crashes"
    yield Figure.of("answers", f"{name}: median", "ms", [statistics.median(times) for times in rounds])
    p99 = [statistics.quantiles(times, n=100, method="inclusive")[-1] for times in rounds]
    yield Figure.of("answers", f"{name}: 99th percentile", "ms", p99, at_most=_MOST_MS)


def _round_ms(sock: Path, path: str, effort: Effort) -> list[float]:
    times = []
    for _ in range(max(10, _REQUESTS // effort.scale)):
        began = time.perf_counter()
        status, _ = get(sock, path)
        times.append(1000 * (time.perf_counter() - began))
        assert status == 200
        time.sleep(_PAUSE_S)
    return times


@contextmanager
def _killed_again_and_again(collection: Collection, connection: str) -> Iterator[None]:
    """Kill the connection's worker whenever there is one."""
    over = threading.Event()

    def kill() -> None:
        while not over.wait(_KILL_EVERY_S):
            if (pid := collection.pid(connection)) is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
