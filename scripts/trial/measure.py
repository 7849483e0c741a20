"""Sample the master's size over time, and tell whether it grows."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import psutil

_WARM_UP = 0.2  # of the samples: caches fill at first
_DESCRIPTORS, _THREADS = 6.0, 2.0  # each generation takes some, and they come and go
_LONG_S = 180.0  # in a shorter soak memory only fills up, and is shown, not judged
_RSS_MIB = 8.0
_FORKER = "traptor: forker"


@dataclass(frozen=True, slots=True)
class Sample:
    """The master at one moment."""

    at: float  # monotonic seconds
    descriptors: int
    threads: int
    rss_bytes: int
    workers: int


@dataclass(frozen=True, slots=True)
class Trend:
    """One figure: after the warm-up and at the end, by the median of a third of the samples."""

    name: str
    first: float
    last: float
    most: float
    bound: float  # maximum growth

    @property
    def is_flat(self) -> bool:
        """True when it has not grown by more than noise."""
        return self.last - self.first <= self.bound


class Gauge:
    """Samples the master, and remembers every worker ever seen."""

    def __init__(self, pid: int) -> None:
        self._master = psutil.Process(pid)
        self._children: set[psutil.Process] = set()
        self.samples: list[Sample] = []

    def sample(self) -> None:
        """Take one sample; nothing when the master is gone."""
        try:
            children = self._master.children(recursive=True)
            with self._master.oneshot():
                self.samples.append(
                    Sample(
                        time.monotonic(),
                        self._master.num_fds(),
                        self._master.num_threads(),
                        self._master.memory_info().rss,
                        len(children),
                    )
                )
        except psutil.NoSuchProcess:
            return
        self._children.update(children)

    def kill_forker(self) -> None:
        """Kill the process that forks the workers. Raises ProcessLookupError when there is none."""
        try:
            forkers = [child for child in self._master.children() if _title(child) == _FORKER]
        except psutil.NoSuchProcess:
            forkers = []
        if not forkers:
            raise ProcessLookupError
        forkers[0].kill()

    def most_descriptors_of_a_child(self) -> int:
        """Return the descriptors of the child that has the most."""
        return max((_descriptors(child) for child in self._master.children(recursive=True)), default=0)

    def zombies(self) -> list[int]:
        """Return processes of the master that have ended without being waited for."""
        try:
            return sorted(child.pid for child in self._master.children(recursive=True) if _is_zombie(child))
        except psutil.NoSuchProcess:
            return []

    def orphans(self) -> list[int]:
        """Return processes of the master that still run."""
        return sorted(c.pid for c in self._children if c.is_running() and not _is_zombie(c))


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()).strip()
    except psutil.Error:
        return ""


def _descriptors(process: psutil.Process) -> int:
    try:
        return int(process.num_fds())
    except psutil.NoSuchProcess:
        return 0


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def trends(samples: Sequence[Sample]) -> list[Trend]:
    """Return descriptors, threads and memory."""
    warm = samples[int(len(samples) * _WARM_UP) :]
    if not warm:
        return []
    is_long = samples[-1].at - samples[0].at >= _LONG_S
    return [
        _trend("descriptors", [s.descriptors for s in warm], _DESCRIPTORS),
        _trend("threads", [s.threads for s in warm], _THREADS),
        _trend("rss_mib", [s.rss_bytes / 2**20 for s in warm], _RSS_MIB if is_long else math.inf),
    ]


def compared(first: Sample, last: Sample, every: Sequence[Sample]) -> list[Trend]:
    """Compare two moments with the same workload, perhaps under two masters; memory is shown, not judged."""
    mib = 2**20
    return [
        Trend(
            "descriptors",
            first.descriptors,
            last.descriptors,
            max(s.descriptors for s in every),
            _DESCRIPTORS,
        ),
        Trend("threads", first.threads, last.threads, max(s.threads for s in every), _THREADS),
        Trend(
            "rss_mib",
            first.rss_bytes / mib,
            last.rss_bytes / mib,
            max(s.rss_bytes for s in every) / mib,
            math.inf,
        ),
    ]


def _trend(name: str, numbers: Sequence[float], bound: float) -> Trend:
    third = max(1, len(numbers) // 3)
    return Trend(name, median(numbers[:third]), median(numbers[-third:]), max(numbers), bound)
