"""The master's periodic work, each piece as a separate job."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from traptor.common.files.abandoned import remove_abandoned
from traptor.common.logs.event import fields
from traptor.supervisor.connections.context import Context
from traptor.supervisor.host.filechanges import FileChanges
from traptor.supervisor.host.logrotate import rotate_logs
from traptor.supervisor.host.orphans import is_init, reap_orphans
from traptor.supervisor.jobs import Run, every
from traptor.supervisor.keys.addresses import look_at_addresses
from traptor.supervisor.state.reserve import Reserve
from traptor.supervisor.state.roster import write_anyhow
from traptor.supervisor.workers.health import HealthSampler, hang_reason
from traptor.supervisor.workers.leftovers import first_of
from traptor.supervisor.workers.runclock import TICK_S

log = logging.getLogger(__name__)

_STATUS_INTERVAL_S = 1.0
_LOOK_AROUND_INTERVAL_S = 5.0
_STEPS_INTERVAL_S = 10.0
_CLEARING_INTERVAL_S = 3600.0


class Chores:
    """Ticks of the run clock, the status file, and checks of log and configuration files."""

    def __init__(
        self,
        context: Context,
        files: FileChanges,
        reserve: Reserve,
        status: Callable[[], dict[str, Any]],
        wake: Callable[[], None],
    ) -> None:
        self._context = context
        self._files = files
        self._reserve = reserve
        self._status = status
        self._wake = wake
        self._status_path: Path = context.settings.supervisor.run_dir / "status.json"
        self._status_fails = False
        self._health = HealthSampler()

    def jobs(self) -> list[tuple[str, Run]]:
        """Return the jobs, with their names."""

        def looks(step: Callable[[], object]) -> Run:
            return every(lambda: _LOOK_AROUND_INTERVAL_S, step, _LOOK_AROUND_INTERVAL_S)

        return [
            ("clock", every(lambda: TICK_S, self._tick)),
            ("status", every(lambda: _STATUS_INTERVAL_S, self._write_status)),
            ("health", every(self._health_interval_s, self._look_at_health)),
            ("leftovers", every(lambda: _LOOK_AROUND_INTERVAL_S, self._look_for_leftovers)),
            ("clearing", every(lambda: _CLEARING_INTERVAL_S, self._clear, _CLEARING_INTERVAL_S)),
            # Every step is triggered by an event or a time; this makes up for a missed trigger.
            ("steps", every(lambda: _STEPS_INTERVAL_S, self._wake, _STEPS_INTERVAL_S)),
            ("files", looks(self._files.compare)),
            ("addresses", looks(lambda: look_at_addresses(self._context.pool.ring))),
            ("log rotation", looks(self._rotate_logs)),
            *([("orphans", looks(reap_orphans))] if is_init() else []),
            ("reserve", every(lambda: _LOOK_AROUND_INTERVAL_S, self._reserve.take)),
        ]

    def close(self) -> None:
        """Remove the status: nothing runs any more, and no status may claim otherwise."""
        self._status_path.unlink(missing_ok=True)

    def _tick(self) -> None:
        """Advance the run clock, hear what workers report, and detect hung ones."""
        now = time.monotonic()
        self._context.run_clock.tick(now)
        self._context.fleet.hear()
        if self._one_hangs(self._context.run_clock.read(now)):
            self._wake()

    def _one_hangs(self, run_now: float) -> bool:
        timeout_s = self._context.settings.supervisor.hang_timeout
        return any(hang_reason(g, run_now, timeout_s) for g in self._context.fleet.generations)

    def _write_status(self) -> None:
        try:
            write_anyhow(self._status_path, orjson.dumps(self._status()))
        except OSError as error:  # a failed status must not end the collection
            if not self._status_fails:
                log.warning("the status file cannot be written", extra=fields(error=str(error)))
            self._status_fails = True
        else:
            self._status_fails = False

    def _health_interval_s(self) -> float:
        return self._context.settings.supervisor.health_interval

    def _look_at_health(self) -> None:
        if self._health.look(self._context.fleet.generations, self._context.settings.supervisor.max_memory):
            self._wake()

    def _look_for_leftovers(self) -> None:
        served = {g.birth.connection for g in self._context.fleet.generations}
        self._context.leftovers.look(served, time.monotonic())

    def _clear(self) -> None:
        served = {first_of(g.birth.connection) for g in self._context.fleet.generations}
        served |= {g.birth.connection for g in self._context.fleet.generations}
        for folder in remove_abandoned(self._context.settings.supervisor.state_dir, served, time.time()):
            log.info("what an app left long ago is removed", extra=fields(folder=str(folder)))

    def _rotate_logs(self) -> None:
        log_dir, logging_ = self._context.settings.supervisor.log_dir, self._context.settings.logging
        if log_dir is not None and logging_.rotate_size:
            rotate_logs(log_dir, logging_.rotate_size, logging_.rotate_keep)
