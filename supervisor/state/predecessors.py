"""Have the workers of a dead supervisor end before this one lends any key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from traptor.common.logs.event import fields
from traptor.supervisor.state.locks import WorkersLock
from traptor.supervisor.state.roster import Roster, end_process

log = logging.getLogger(__name__)

_POLL_S = 0.05


async def end_predecessors(roster: Roster, lock: WorkersLock, given_up: Callable[[], bool]) -> None:
    """Kill the workers that the roster names, and wait until no worker holds `lock`, or it is given up."""
    for entry in roster.read():
        if end_process(entry):
            log.warning(
                "a dead supervisor's worker was killed",
                extra=fields(connection=entry.connection, pid=entry.pid),
            )
    if lock.try_take():
        return
    log.warning("waiting for a dead supervisor's workers to end")
    # The kernel does not notify when a flock is released.
    while not given_up() and not lock.try_take():  # noqa: ASYNC110
        await asyncio.sleep(_POLL_S)
