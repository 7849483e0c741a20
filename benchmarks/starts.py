"""Watch the start of many workers from outside, at next to no cost.

On few cores a busy watcher slows what it watches. The kernel keeps when each process was forked, and the log
when each one streamed, so nothing has to be looked at often: a look reads what the log has gained, and only
the last one looks at the processes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from support.collection import Collection
from support.waiting import wait_for

from benchmarks.bareforks import Forks, forked_at_s
from benchmarks.watching import Gain

_FORKED = " worker forked "  # in a line of supervisor.log
_STREAMS = " streaming"  # the end of a worker's line there


@dataclass(frozen=True)
class Start:
    """When all workers were forked, and when each one streamed, in order: in seconds since the command."""

    all_forked_s: float
    streamed_s: list[float]


def watched_start(collection: Collection, count: int, within_s: float) -> Start:
    """Start the supervisor, and return once so many workers stream. Fails when they do not in time."""
    booted_s, began = time.clock_gettime(time.CLOCK_BOOTTIME), time.time()
    collection.start()
    lines = _lines(collection, count, "stream", lambda line: line.endswith(_STREAMS), within_s)
    forked = _forked_at_s(collection, count)
    return Start(forked[-1] - booted_s, sorted(_time_of(line) - began for line in lines))


def watched_forks(collection: Collection, count: int, within_s: float) -> Forks:
    """Start the supervisor, and return how long it took until so many workers are forked."""
    booted_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    collection.start()
    _lines(collection, count, "are forked", lambda line: _FORKED in line, within_s)
    forked = _forked_at_s(collection, count)
    return Forks(forked[-1] - forked[0], forked[-1] - booted_s)


def _lines(
    collection: Collection, count: int, what: str, is_one: Callable[[str], bool], within_s: float
) -> list[str]:
    """Return the first lines of this kind in the log, once each of so many workers has one."""
    gain, lines = Gain(collection.logs / "supervisor.log"), list[str]()

    def all_are_there() -> bool:
        lines.extend(filter(is_one, gain.lines()))
        return len(lines) >= count

    wait_for(all_are_there, f"{count} workers {what}", within_s)
    return lines


def _forked_at_s(collection: Collection, count: int) -> list[float]:
    forked = sorted(forked_at_s(child.pid) for child in collection.workers())
    assert len(forked) == count, f"{len(forked)} workers of {count}"
    return forked


def _time_of(line: str) -> float:
    return datetime.fromisoformat(line.partition(" ")[0]).timestamp()
