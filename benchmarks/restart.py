"""Measure how long a connection is without a worker, or a new worker without a stream.

A restart is measured beside a loop that only forks and waits for a pidfd, in turns with it.
"""

from __future__ import annotations

import os
import signal
import time

from support.collection import Collection

from benchmarks.bareloop import BareLoop
from benchmarks.figures import Effort, Figure
from benchmarks.rules import track_rules
from benchmarks.stage import load_rules, stage
from benchmarks.watching import Tail

_GROUP = "track:0"
_PAUSE_S = 0.4
_BETWEEN_REFRESHES_S = 1.5  # the old stream stays for a second beside the new one, in its slot
_RESTARTS = 5  # in each round: one takes some milliseconds, in which anything else on the host may run
_RATE = 1_000  # tweets per second: the first of a stream comes after about a millisecond
_LOW_RATE = 50  # where one round only shows that it works


def restart(effort: Effort) -> list[Figure]:
    """Measure from the SIGKILL of a worker with 400 rules to the first line in its successor's log."""
    ours, bare = [], []
    with stage(1, restart_backoff="10ms", restart_reset_after="10ms") as collection:
        load_rules(collection.redis, track_rules(400))
        collection.start()
        pid = collection.wait_streaming(_GROUP)[_GROUP]
        loop = BareLoop(collection.folder / "bare.log")
        try:
            for _ in range(effort.rounds * _RESTARTS + 1):
                bare.append(loop.restart_ms())
                tail = Tail(collection.logs / f"{_GROUP}.log")
                began = time.monotonic()
                os.kill(pid, signal.SIGKILL)
                ours.append((tail.wait_for() - began) * 1000)
                collection.wait_new_pid(_GROUP, pid)
                pid = collection.wait_streaming(_GROUP)[_GROUP]
                time.sleep(_PAUSE_S)  # no work of this start is left for the next one
        finally:
            loop.end()
    ours, bare = ours[1:], bare[1:]
    ratio = [one / other for one, other in zip(ours, bare, strict=True)]
    return [
        Figure.of("restart", "SIGKILL to the next worker's first line", "ms", ours),
        Figure.of("restart", "bare fork-and-pidfd loop: the same", "ms", bare),
        Figure.of("restart", "times as long as the bare loop", "x", ratio, at_most=3),
    ]


def refresh(effort: Effort) -> list[Figure]:
    """Measure from a hint to the new worker's READY, to its first tweet written, and the gap, by way."""
    return [
        *_refresh("slot", effort, keys=1, max_connections=2),
        *_refresh("spare", effort, keys=2, max_connections=1),
        *_refresh("overlap", effort, keys=1, max_connections=1),
        *_refresh("serial", effort, keys=1, max_connections=1),
    ]


def _refresh(way: str, effort: Effort, *, keys: int, max_connections: int) -> list[Figure]:
    ready, first_tweet, gaps = [], [], []
    options = {"handover": way, "refresh_min_interval": "300ms"}
    with stage(keys, max_connections=max_connections, **options) as collection:
        rules = track_rules(400)
        load_rules(collection.redis, rules)
        collection.sandbox.set_rules([("track", value) for rule in rules for value in rule.values])
        collection.sandbox.set_rate(_RATE if effort.rounds > 1 else _LOW_RATE)
        collection.start()
        collection.wait_streaming(_GROUP)
        for number in range(2, effort.rounds + 3):
            time.sleep(_BETWEEN_REFRESHES_S)
            log, output = _tails(collection)
            gap_before = _gap_s(collection)
            began = time.monotonic()
            collection.hint(_GROUP)
            ready.append((log.wait_for(" ready ") - began) * 1000)
            first_tweet.append((output.wait_for(f'"generation":{number},') - began) * 1000)
            collection.wait_log("refreshed", f"gen={number} ", f"way={way}")
            gaps.append((_gap_s(collection) - gap_before) * 1000)
        collection.sandbox.set_rate(0)
    return [
        Figure.of("refresh", f"{way}: hint to READY", "ms", ready[1:]),
        Figure.of("refresh", f"{way}: hint to the first tweet written", "ms", first_tweet[1:]),
        Figure.of("refresh", f"{way}: gap by the supervisor's record", "ms", gaps[1:]),
    ]


def _tails(collection: Collection) -> tuple[Tail, Tail]:
    return Tail(collection.logs / f"{_GROUP}.log"), Tail(collection.output / f"{_GROUP}.jsonl")


def _gap_s(collection: Collection) -> float:
    return sum(float(gap["seconds"]) for gap in collection.gaps(_GROUP))
