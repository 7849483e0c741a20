"""Keep a forker running: one that ended or does not answer is replaced."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from types import TracebackType

from traptor.common.logs.event import fields
from traptor.supervisor.workers.forking.forker import Forker

log = logging.getLogger(__name__)


class ForkerKeeper:
    """Holds the forker of this master. A context manager that starts the first one and ends the last.

    The first one is started before the master has anything to do, so it is small. Another, or the first on a
    host that had no room for it, is made from the master as it is then.
    """

    def __init__(self) -> None:
        self._forker: Forker | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> ForkerKeeper:
        with suppress(OSError):  # whoever asks for it hears of it, and asks again
            self._forker = Forker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._forker is not None:
            self._forker.end()

    def watch(self) -> None:
        """Notice its end from now on, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        if self._forker is not None:
            self._watch(self._forker)

    def forker(self) -> Forker:
        """Return the forker; a new one, if the last has ended or is lost. Raises OSError without room."""
        if self._forker is not None and self._forker.is_lost:
            self._ended(self._forker)
        if self._forker is None:
            self._forker = Forker.start()
            log.info("forker started", extra=fields(pid=self._forker.pid))
            self._watch(self._forker)
        return self._forker

    def close(self) -> None:
        """Stop noticing its end."""
        if self._loop is not None and self._forker is not None:
            self._loop.remove_reader(self._forker.pidfd)
        self._loop = None

    def _watch(self, forker: Forker) -> None:
        if self._loop is not None:
            self._loop.add_reader(forker.pidfd, self._ended, forker)

    def _ended(self, forker: Forker) -> None:
        if self._loop is not None:
            self._loop.remove_reader(forker.pidfd)
        self._forker = None
        code = forker.end()
        log.error("the forker ended, and all workers with it", extra=fields(pid=forker.pid, exit_code=code))
