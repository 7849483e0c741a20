"""The successive supervisors of one trial: resources, ends, and leftovers of each."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from trial.measure import Gauge, Sample, Trend, compared, trends
from trial.supervisor import Supervisor
from trial.view import StatusReader

_LONG_LIFE = 30  # samples: above this, a supervisor's own growth is judged
_WORKERS_MORE = 3.0


@dataclass(frozen=True, slots=True)
class _Weight:
    """The resources of a supervisor and its workers in the normal state."""

    sample: Sample
    of_a_worker: int  # descriptors of the worker that has the most


class Masters:
    """Starts and kills supervisors, and samples the running one."""

    def __init__(self, supervisor: Supervisor, status: StatusReader) -> None:
        self._supervisor = supervisor
        self._status = status
        self._gauges: list[Gauge] = []
        self._is_down = True  # no supervisor is supposed to run
        self._first: _Weight | None = None
        self._last: _Weight | None = None
        self.kills: list[float] = []  # monotonic seconds

    def start(self) -> None:
        """Start the next supervisor."""
        self._supervisor.start()
        self._gauges.append(Gauge(self._supervisor.pid))
        self._is_down = False

    def kill(self) -> None:
        """Kill the running supervisor; its workers go with it."""
        self._gauges[-1].sample()  # records its children
        self._is_down = True
        self._supervisor.kill()
        self.kills.append(time.monotonic())

    def kill_forker(self) -> None:
        """Kill the forker of the running supervisor. Raises ProcessLookupError when there is none."""
        self._gauges[-1].sample()
        self._gauges[-1].kill_forker()

    def sample(self) -> None:
        """Sample the running supervisor."""
        if not self._is_down:
            self._gauges[-1].sample()

    @property
    def died(self) -> bool:
        """True when it ended by itself."""
        return not self._is_down and self._supervisor.exit_code is not None

    @property
    def is_up(self) -> bool:
        """True when it runs, listens to signals and writes its status."""
        return not self._is_down and self._status.look().pid == self._supervisor.pid

    @property
    def count(self) -> int:
        """The number of supervisors so far."""
        return len(self._gauges)

    def note_first(self) -> None:
        """Record the first supervisor's resources in the normal state."""
        self._first = self._weigh()

    def note_last(self) -> None:
        """Record the last supervisor's resources in the normal state."""
        self._last = self._weigh()

    def trends(self) -> list[Trend]:
        """Return the growth from the first to the last, and within each that lived long enough."""
        if self._first is None or self._last is None:
            return []
        lives = [
            replace(trend, name=f"{trend.name} of supervisor {number}")
            for number, gauge in enumerate(self._gauges, start=1)
            if len(gauge.samples) >= _LONG_LIFE
            for trend in trends(gauge.samples)
            if not trend.is_flat
        ]
        every = [sample for gauge in self._gauges for sample in gauge.samples]
        first, last = self._first, self._last
        worker = Trend(
            "descriptors of a worker", first.of_a_worker, last.of_a_worker, last.of_a_worker, _WORKERS_MORE
        )
        return [*compared(first.sample, last.sample, every), worker, *lives]

    def _weigh(self) -> _Weight | None:
        gauge = self._gauges[-1]
        gauge.sample()
        return _Weight(gauge.samples[-1], gauge.most_descriptors_of_a_child()) if gauge.samples else None

    def zombies(self) -> list[int]:
        """Return children of the running supervisor that ended and were not waited for."""
        return self._gauges[-1].zombies()

    def orphans(self) -> list[int]:
        """Return processes that any of the supervisors left behind."""
        return sorted({pid for gauge in self._gauges for pid in gauge.orphans()})
