"""Keep a forker running: one that ended or does not answer is replaced."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType

from traptor.common.birth import WorkerSettings
from traptor.common.logs.event import fields
from traptor.supervisor.workers.forking.forker import ANSWER_S, Forker, ForkerLost, wait_for_end

log = logging.getLogger(__name__)

_KILLED_S = 0.5


class ForkerKeeper:
    """Holds the forker of this master. A context manager that starts the first one and ends the last.

    The first one is started before the master has read anything, so it is small. Another, or the first on a
    host that had no room for it, is made from the master as it is then.
    """

    def __init__(self) -> None:
        self._prepared: tuple[WorkerSettings, Path] | None = None
        self._forker: Forker | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._late_since = 0.0
        self._giving_up: asyncio.TimerHandle | None = None  # while an answer is late

    def __enter__(self) -> ForkerKeeper:
        with suppress(OSError):  # whoever asks for it hears of it, and asks again
            self._forker = Forker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End the forker, and any worker that is left."""
        if self._forker is not None:
            self._forker.end()
            self._forker = None

    def prepare(self, settings: WorkerSettings, folder: Path) -> None:
        """Have this forker, and any later one, make ready what workers with these settings use.

        `folder` is where it rehearses; what one left there that was killed is removed.
        """
        shutil.rmtree(folder, ignore_errors=True)
        self._prepared = settings, folder
        if self._forker is not None:
            self._forker.prepare(settings, folder)

    def watch(self) -> None:
        """Notice its end from now on, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        if self._forker is not None:
            self._watch(self._forker)

    def forker(self) -> Forker:
        """Return the forker; a new one, if the last has ended or is lost. Raises OSError without room."""
        if self._forker is not None and self._forker.is_lost:
            if not wait_for_end(self._forker.pidfd, _KILLED_S):
                raise ForkerLost(self._forker.pid, "it was killed, and the kernel has not ended it yet")
            self._ended(self._forker)
        if self._forker is None:
            self._forker = Forker.start()
            if self._prepared is not None:
                self._forker.prepare(*self._prepared)
            log.info("forker started", extra=fields(pid=self._forker.pid))
            self._watch(self._forker)
        return self._forker

    def close(self) -> None:
        """Stop noticing its end, and late answers."""
        if self._loop is not None and self._forker is not None:
            self._loop.remove_reader(self._forker.pidfd)
            self._wait_no_more(self._forker)
            self._forker.tell_when_late(None)
        self._loop = None

    def _watch(self, forker: Forker) -> None:
        if self._loop is not None:
            self._loop.add_reader(forker.pidfd, self._ended, forker)
            forker.tell_when_late(partial(self._late, forker))

    def _late(self, forker: Forker) -> None:
        """Go on with everything else until it answers."""
        assert self._loop is not None
        self._late_since = time.monotonic()
        self._loop.add_reader(forker.answers, self._heard, forker)
        self._giving_up = self._loop.call_later(ANSWER_S, forker.give_up)
        log.warning("the forker does not answer", extra=fields(pid=forker.pid))

    def _heard(self, forker: Forker) -> None:
        self._wait_no_more(forker)
        forker.hear()
        if not (forker.is_lost or forker.is_late):
            waited_s = round(time.monotonic() - self._late_since, 3)
            log.info("the forker answers again", extra=fields(pid=forker.pid, waited_s=waited_s))

    def _wait_no_more(self, forker: Forker) -> None:
        if self._giving_up is None or self._loop is None:
            return
        self._loop.remove_reader(forker.answers)
        self._giving_up.cancel()
        self._giving_up = None

    def _ended(self, forker: Forker) -> None:
        if self._loop is not None:
            self._loop.remove_reader(forker.pidfd)
            self._wait_no_more(forker)
        self._forker = None
        code = forker.end()
        log.error("the forker ended, and all workers with it", extra=fields(pid=forker.pid, exit_code=code))
