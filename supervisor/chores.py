"""What the master does by the clock, each in a task of its own."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import orjson

from traptor.common.logs.event import fields
from traptor.supervisor.connections.context import Context
from traptor.supervisor.filechanges import FileChanges
from traptor.supervisor.keys.addresses import look_at_addresses
from traptor.supervisor.logrotate import rotate_logs
from traptor.supervisor.state.roster import write_atomically
from traptor.supervisor.workers.hangs import hang_reason
from traptor.supervisor.workers.health import Health
from traptor.supervisor.workers.runclock import TICK_S

log = logging.getLogger(__name__)

_STATUS_INTERVAL_S = 1.0
_LOOK_AROUND_INTERVAL_S = 5.0


class Chores:
    """Ticks of the run clock, the status file, and a look at log and configuration files."""

    def __init__(
        self,
        context: Context,
        files: FileChanges,
        status: Callable[[], dict[str, Any]],
        wake: Callable[[], None],
    ) -> None:
        self._context = context
        self._files = files
        self._status = status
        self._wake = wake
        self._status_path: Path = context.settings.supervisor.run_dir / "status.json"
        self._status_fails = False
        self._health = Health()

    def jobs(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        """The tasks, with their names; they run until cancelled."""
        return [
            ("clock", self._tick()),
            ("status", self._write_status()),
            ("health", self._look_at_health()),
            ("look around", self._look_around()),
        ]

    def close(self) -> None:
        """Nothing runs any more: no status may say that it does."""
        self._status_path.unlink(missing_ok=True)

    async def _tick(self) -> None:
        """Let the run clock run, and a hung worker be found."""
        while True:
            now = time.monotonic()
            self._context.run_clock.tick(now)
            if self._one_hangs(self._context.run_clock.read(now)):
                self._wake()
            await asyncio.sleep(TICK_S)

    def _one_hangs(self, run_now: float) -> bool:
        timeout_s = self._context.settings.supervisor.hang_timeout
        return any(hang_reason(g, run_now, timeout_s) for g in self._context.fleet.generations)

    async def _write_status(self) -> None:
        while True:
            try:
                write_atomically(self._status_path, orjson.dumps(self._status()))
                self._status_fails = False
            except (OSError, TypeError, ValueError) as error:  # no status is worth the collection
                if not self._status_fails:
                    log.error("the status file cannot be written", extra=fields(error=str(error)))
                self._status_fails = True
            await asyncio.sleep(_STATUS_INTERVAL_S)

    async def _look_at_health(self) -> None:
        while True:
            supervisor = self._context.settings.supervisor
            if self._health.look(self._context.fleet.generations, supervisor.max_memory):
                self._wake()
            await asyncio.sleep(supervisor.health_interval)

    def _look_for_leftovers(self) -> None:
        served = {g.birth.connection for g in self._context.fleet.generations}
        self._context.leftovers.look(served, time.monotonic())

    async def _look_around(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_AROUND_INTERVAL_S)
            self._look_for_leftovers()
            self._wake()  # every step is due by an event or its time; this makes up for one that was missed
            self._files.compare()
            look_at_addresses(self._context.pool)
            settings = self._context.settings
            if settings.supervisor.log_dir is not None and settings.logging.rotate_size:
                rotate_logs(
                    settings.supervisor.log_dir, settings.logging.rotate_size, settings.logging.rotate_keep
                )
