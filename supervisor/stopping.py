"""End the collection: in time, quickly, or at once."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Callable

from traptor.common.config.kinds.kinds import JSONL, STDOUT
from traptor.common.errors import ExitCode
from traptor.common.logs.event import fields
from traptor.supervisor.connections.context import QUICK_S, Context
from traptor.supervisor.host.notify import ServiceManager
from traptor.supervisor.jobs import Jobs

log = logging.getLogger(__name__)

_LAST_RESORT_S = 1.0


class Stopping:
    """Begins the end when a signal or a lost reader asks for it; the master's loop takes the steps."""

    def __init__(
        self, context: Context, jobs: Jobs, manager: ServiceManager, wake: Callable[[], None]
    ) -> None:
        self.exit_code = ExitCode.OK
        self._context = context
        self._jobs = jobs
        self._manager = manager
        self._wake = wake

    def asked(self) -> None:
        """Stop in time (TERM, INT); asked a second time, kill all workers at once."""
        if not self._context.stopping:
            self._begin()
            return
        log.warning("stopping at once")
        self.exit_code = ExitCode.FAILURE
        self._kill_all()

    def quickly(self) -> None:
        """Stop without waiting for the output: what is not delivered stays in the outboxes."""
        self._context.hurries = True
        self._context.fleet.kill_by(time.monotonic() + QUICK_S)
        if not self._context.stopping:
            self._begin()
        self._wake()

    def stdout_gone(self) -> None:
        """Stop when stdout is the output: what nobody reads can never be delivered."""
        is_output = self._context.settings.traptor.output == f"{JSONL}{STDOUT}"
        if is_output and not self._context.stopping:
            log.warning("stdout is closed, nobody reads the output: stopping")
            self.quickly()

    def _begin(self) -> None:
        self._context.stopping = True
        gc.freeze()  # nothing of it is garbage until the end, and each look at all of it takes long
        self._jobs.hurry()
        within_s = self._context.stop_within_s
        log.info("stopping: streams close, outputs are flushed", extra=fields(within_s=within_s))
        self._manager.stopping(within_s)
        # If no other step ends the workers in time, this does.
        asyncio.get_running_loop().call_later(within_s + _LAST_RESORT_S, self._kill_all)
        self._wake()

    def _kill_all(self) -> None:
        for generation in self._context.fleet.generations:
            self._context.fleet.kill(generation)
