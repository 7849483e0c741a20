"""Measure what many connections cost while nothing happens, and the memory of one worker."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from operator import attrgetter
from pathlib import Path

import psutil
from kafka_parts.broker import KafkaProcess
from support.collection import Collection
from support.waiting import wait_for

from benchmarks.bareforks import Forks, bare_forks
from benchmarks.broker import TOPIC, kafka_broker
from benchmarks.figures import Effort, Figure
from benchmarks.looks import unchanged_looks
from benchmarks.rules import follow_rules, track_rules
from benchmarks.stage import load_rules, stage
from benchmarks.starts import Start, watched_forks, watched_start
from benchmarks.stillserver import still_server

_MOST_PERCENT = {50: 1.0, 200: 4.0}
_MIB = 1024 * 1024
_UP_WITHIN_S = 120.0
_MOST_MIB = 20
_SETTLED_S = 2.0
_LOOK_PAUSE_S = 4.0
_MOST_TIMES = 3.0
_START_PARALLEL, _CONNECT_RATE = 4, 2  # by default; tests connect faster than anybody may
_LEAST_SPAN_S = 0.01  # the kernel reports start times in hundredths


def many_connections(effort: Effort) -> list[Figure]:
    """Measure the start of many workers, each a separate group; then the master's idle share of a core."""
    forks: dict[int, list[float]] = {}
    figures = [figure for count in effort.connections for figure in _idle(count, effort, forks)]
    few, *_, many = effort.connections if len(effort.connections) > 1 else (0, 0)
    if few:
        name = f"{many} workers: command to all forked, by that of {few}"
        at_most = many / few  # for a start that is linear in the workers
        ratio = statistics.median(forks[many]) / statistics.median(forks[few])
        figures.append(Figure.of("many", name, "x", [ratio], at_most=at_most))
    return figures


def weight(effort: Effort) -> list[Figure]:
    """Measure the private memory of one worker with 5,000 follow rules, once it streams, for each output."""
    count = 5_000 // effort.scale
    figures = [_weight(f"{count:,} follow rules, jsonl sink", count, effort, None), _weight_of_app(effort)]
    with tempfile.TemporaryDirectory(prefix="traptor-bench-") as folder, kafka_broker(Path(folder)) as broker:
        if broker is not None:
            figures.append(_weight(f"{count:,} follow rules, Kafka producer", count, effort, broker))
            figures.append(_weight("20 follow rules, Kafka producer", 20, effort, broker))
    return figures


def _weight(name: str, rules: int, effort: Effort, broker: KafkaProcess | None) -> Figure:
    """Measure in rounds, each a separate collection: what a worker shares depends on what its master does."""
    uss = []
    for _ in range(min(effort.rounds, 3)):
        with stage(1) as collection:
            if broker is not None:
                kafka = {"bootstrap_servers": broker.bootstrap_servers, "topic": TOPIC}
                collection.options |= {"traptor": {"output": "kafka"}, "kafka": kafka}
            load_rules(collection.redis, follow_rules(rules))
            collection.start()
            pid = collection.wait_streaming("follow:0")["follow:0"]
            time.sleep(min(_SETTLED_S, effort.idle_s))
            uss.append(_uss_mib(pid))
    at_most = _MOST_MIB if rules > 20 and broker is not None else None
    return Figure.of("weight", f"USS of a worker, {name}", "MiB", uss, at_most=at_most)


def _weight_of_app(effort: Effort) -> Figure:
    """Measure the worker of one app of API v2, with 852 filters for 5,852 rules."""
    uss = []
    for _ in range(min(effort.rounds, 3)):
        with stage(1, max_connections=1) as collection:
            collection.options["traptor"] = {"api": "v2"}
            collection.options["twitter"] = {"api_url": collection.sandbox.url}
            load_rules(collection.redis, follow_rules(5_500 // effort.scale))
            load_rules(collection.redis, track_rules(352 // effort.scale))
            collection.start()
            pid = collection.wait_streaming("v2:key-0", within_s=_UP_WITHIN_S)["v2:key-0"]
            time.sleep(min(_SETTLED_S, effort.idle_s))
            uss.append(_uss_mib(pid))
    name = "USS of a worker, API v2, 5,500 follow and 352 track rules, jsonl sink"
    return Figure.of("weight", name, "MiB", uss, at_most=_MOST_MIB)


def full_look(effort: Effort) -> list[Figure]:
    """Measure the master's CPU for one look at all rules in Redis, as taken every rules_check_interval."""
    with stage(0, rules_check_interval=f"{_LOOK_PAUSE_S:g}s") as collection:
        # Without keys they are read and planned, and nothing streams.
        collection.options["logging"] = {"level": "DEBUG"}  # logs each look
        load_rules(collection.redis, follow_rules(effort.many_rules))
        collection.start()
        wait_for(lambda: _rules_known(collection) == effort.many_rules, "all rules are known", _UP_WITHIN_S)
        _wait_for_look(collection)
        looks = [_cpu_of_a_look_s(collection) for _ in range(min(effort.rounds, 3))]
    name = f"CPU of a look at {effort.many_rules:,} rules and of {_LOOK_PAUSE_S:g} idle seconds"
    return [
        Figure.of("full_look", name, "s", looks),
        Figure.of("full_look", "the same every 60 s", "% of a core", [look / 60 * 100 for look in looks]),
        *unchanged_looks(effort),
    ]


def _idle(count: int, effort: Effort, forks: dict[int, list[float]]) -> list[Figure]:
    """Fork them in turns with the bare loop, noted in `forks`; let all stream; look at the idle master."""
    bare, paced, starts = [bare_forks(count)], list[Forks](), list[Start]()
    percent, uss = list[float](), list[float]()
    rounds = min(effort.rounds, 3)
    while len(starts) < rounds:
        with _groups(count, start_parallel=_START_PARALLEL) as collection:
            collection.options["twitter"]["connect_rate"] = _CONNECT_RATE
            paced.append(watched_forks(collection, count, _UP_WITHIN_S))
        bare.append(bare_forks(count))
        with _groups(count) as collection:
            starts.append(watched_start(collection, count, _UP_WITHIN_S))
            if len(starts) == rounds:
                collection.wait_streaming(*(f"track:{number}" for number in range(count)))
                time.sleep(effort.idle_s / 10)  # lets work left by the start finish
                percent = [idle_percent(collection, effort.idle_s) for _ in range(rounds)]
                assert len(collection.streaming()) == count
                uss = [_uss_mib(pid) for pid in list(collection.streaming().values())[:5]]
    forks[count] = [one.since_command_s for one in paced]
    streamed = [start.streamed_s for start in starts]
    figures = [
        ("command to all forked", "s", forks[count], None),
        ("bare loop: command to all forked", "s", [one.since_command_s for one in bare], None),
        (
            "command to all forked: times as long as the bare loop",
            "x",
            _times(paced, bare, attrgetter("since_command_s")),
            _MOST_TIMES,
        ),
        ("first to last fork", "s", [one.span_s for one in paced], None),
        ("bare loop: first to last fork", "s", [one.span_s for one in bare], None),
        (
            "first to last fork: times as long as the bare loop",
            "x",
            _times(paced, bare, attrgetter("span_s")),
            None,
        ),
        (
            "command to all forked, while 100 a second connect",
            "s",
            [start.all_forked_s for start in starts],
            None,
        ),
        ("command to the first stream", "s", [at[0] for at in streamed], None),
        ("command to half of all streaming", "s", [at[len(at) // 2] for at in streamed], None),
        ("command to all streaming", "s", [at[-1] for at in streamed], None),
        ("idle master", "% of a core", percent, _MOST_PERCENT.get(count)),
        ("USS of a worker, 20 track rules", "MiB", uss, None),
    ]
    return [
        Figure.of("many", f"{count} workers: {name}", unit, values, at_most=at_most)
        for name, unit, values, at_most in figures
    ]


def _times(ours: Sequence[Forks], bare: Sequence[Forks], of: Callable[[Forks], float]) -> list[float]:
    """Return how many times as long each took as the mean of the bare loops before and after it."""
    around = pairwise([max(of(one), _LEAST_SPAN_S) for one in bare])
    return [of(one) / statistics.mean(two) for one, two in zip(ours, around, strict=True)]


@contextmanager
def _groups(count: int, **supervisor: object) -> Iterator[Collection]:
    """Yield a collection of so many groups, with as many keys, that is not yet started."""
    with (
        still_server() as url,
        stage(count, max_connections=1, rules_check_interval="600s", **supervisor) as collection,
    ):
        collection.options["twitter"] = {"stream_url": url}
        for number in range(count):
            load_rules(collection.redis, track_rules(20, seed=number), group=f"track:{number}")
        yield collection


def idle_percent(collection: Collection, wall_s: float) -> float:
    """Return the master's CPU over this time, in percent of a core."""
    before = _cpu_s(collection)
    time.sleep(wall_s)
    return 100 * (_cpu_s(collection) - before) / wall_s


def _cpu_of_a_look_s(collection: Collection) -> float:
    """Return the master's CPU seconds from the end of a look to the end of the next."""
    before = _cpu_s(collection)
    _wait_for_look(collection)
    return _cpu_s(collection) - before


def _cpu_s(collection: Collection) -> float:
    """Return the master's own CPU seconds until now."""
    assert collection.process is not None
    times = psutil.Process(collection.process.pid).cpu_times()
    return float(times.user + times.system)


def _rules_known(collection: Collection) -> int:
    return sum(group["rules"] for group in collection.status()["groups"])


def _wait_for_look(collection: Collection) -> None:
    """Wait for the end of the next look at all rules; its result is planned after that."""
    line = "looked at all rules"
    before = collection.log().count(line)
    wait_for(lambda: collection.log().count(line) > before, "a look at all rules", _UP_WITHIN_S)


def _uss_mib(pid: int) -> float:
    return float(psutil.Process(pid).memory_full_info().uss / _MIB)
