"""The master's jobs, which serve the surroundings of the streams; none of them may end the streams.

A job that fails, however it fails, is restarted after a pause, and the failure is logged, counted and shown.
The streams need no job: workers stream by themselves.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from traptor.common.errors import TraptorError
from traptor.common.logs.event import fields
from traptor.common.timing.backoff import doubled

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
# A job must work this long before its failures are forgotten.
STEADY_S = 30.0
_SAY_AGAIN_S = 60.0
_CANCEL_AGAIN_S = 0.2
TOGETHER_S = 0.5
_PAUSE_FOR_WORK = 4.0  # a step takes at most a fifth of the loop's time

T = TypeVar("T")
Run = Callable[[], Coroutine[Any, Any, None]]


class Trouble:
    """The failures of one job. Times are monotonic seconds."""

    def __init__(self, job: str) -> None:
        self.job = job
        self.failures = 0  # since the start
        self.error: str | None = None  # set while the job fails
        self.retry_at = 0.0
        self._in_a_row = 0
        self._failed_at = 0.0
        self._said: tuple[str, float] | None = None  # the last logged error, and when

    def failed(self, error: BaseException, now: float) -> None:
        """Record and log a failure: bugs with a traceback, the same error at most once a minute."""
        pause_s = doubled(FIRST_PAUSE_S, self._in_a_row, LONGEST_PAUSE_S)
        self.failures += 1
        self._in_a_row += 1
        self._failed_at, self.retry_at = now, now + pause_s
        self.error = f"{type(error).__name__}: {error}"
        if self._said is None or self._said[0] != self.error or now - self._said[1] >= _SAY_AGAIN_S:
            self._said = self.error, now
            log.error(
                "a job of the master failed, it is restarted",
                exc_info=None if _is_of_the_host(error) else error,
                extra=fields(job=self.job, error=self.error, failures=self.failures, retry_in_s=pause_s),
            )

    def went_well(self, now: float) -> None:
        """Record that the job has worked until now; once that lasts, forget the failures and log it."""
        if self.error is not None and now - self._failed_at >= STEADY_S:
            log.info("a job of the master works again", extra=fields(job=self.job, failures=self.failures))
            self.error, self._said, self._in_a_row = None, None, 0


class Jobs:
    """Runs the jobs, and guards the steps of the master's own loop, so that failures do not spread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self._troubles: dict[str, Trouble] = {}

    def start(self, name: str, run: Run) -> None:
        """Run a job until `end`; `run` starts it, and restarts it after each failure."""
        self._tasks.append(asyncio.create_task(self._keep(self._trouble(name), run), name=name))

    def attempt(self, name: str, deed: Callable[[], T], otherwise: T) -> T:
        """Return the result of a step, or `otherwise` when it fails or failed a moment ago."""
        trouble = self._trouble(name)
        now = self._clock()
        if now < trouble.retry_at:
            return otherwise
        try:
            result = deed()
        except Exception as error:  # noqa: BLE001  # whatever it is, the streams go on
            trouble.failed(error, self._clock())
            return otherwise
        trouble.went_well(now)
        return result

    def retry_at(self, name: str) -> float | None:
        """Return when a step that failed may be tried again; None when it may be now."""
        retry_at = self._trouble(name).retry_at
        return retry_at if retry_at > self._clock() else None

    def hurry(self) -> None:
        """Allow failed steps to be retried at once, for a stop."""
        for trouble in self._troubles.values():
            trouble.retry_at = 0.0

    def on_loop_error(self, loop: asyncio.AbstractEventLoop, about: dict[str, Any]) -> None:
        """Handle what the event loop would only print: errors in callbacks, and in accepting connections."""
        trouble = self._trouble("event loop")
        trouble.failed(about.get("exception") or RuntimeError(about["message"]), self._clock())
        loop.call_later(STEADY_S, lambda: trouble.went_well(self._clock()))

    def status(self, wall_of: Callable[[float], float]) -> list[dict[str, Any]]:
        """Return the jobs that have failed since the start; `error` and `retry_at` are set while failing."""
        return [
            {
                "job": trouble.job,
                "failures": trouble.failures,
                "error": trouble.error,
                "retry_at": wall_of(trouble.retry_at) if trouble.error is not None else None,
            }
            for trouble in self._troubles.values()
            if trouble.failures
        ]

    async def end(self) -> None:
        """Cancel the jobs until they have ended: redis-py can swallow a cancellation while it connects."""
        while pending := [task for task in self._tasks if not task.done()]:
            for task in pending:
                task.cancel()
            await asyncio.wait(pending, timeout=_CANCEL_AGAIN_S)

    def _trouble(self, name: str) -> Trouble:
        return self._troubles.setdefault(name, Trouble(name))

    async def _keep(self, trouble: Trouble, run: Run) -> None:
        while True:
            steady = asyncio.create_task(self._watch(trouble))
            try:
                trouble.failed(await _failure(run), self._clock())
            finally:
                steady.cancel()
            await asyncio.sleep(max(0.0, trouble.retry_at - self._clock()))

    async def _watch(self, trouble: Trouble) -> None:
        while trouble.error is not None:
            await asyncio.sleep(STEADY_S)
            trouble.went_well(self._clock())


def together(now: float, pause_s: float) -> float:
    """Return when a pause from `now` on ends: a little sooner, so that those of many jobs end together.

    What is done after a wake-up costs less than the wake-up, if it is short.
    """
    due = now + pause_s
    return due if pause_s < TOGETHER_S else due - due % TOGETHER_S


async def pause(pause_s: float) -> None:
    """Wait so long, or a little less, until other jobs are due too."""
    now = time.monotonic()
    await asyncio.sleep(together(now, pause_s) - now)


def every(interval_s: Callable[[], float], step: Callable[[], object], first_after_s: float = 0.0) -> Run:
    """Return a job that repeats one step, with a pause between.

    When a step takes long (a status of 100,000 connections), so do the pauses: the loop has other work.
    """

    async def run() -> None:
        await pause(first_after_s)
        while True:
            began = time.monotonic()
            step()
            ended = time.monotonic()
            rested = ended + _PAUSE_FOR_WORK * (ended - began)
            await asyncio.sleep(max(together(ended, interval_s()), rested) - ended)

    return run


async def _failure(run: Run) -> BaseException:
    """Run a job and return why it ended."""
    try:
        await run()
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return error  # raised by something it waited for: nobody cancelled the job
    except Exception as error:  # noqa: BLE001  # whatever it is, the streams go on
        return error
    return RuntimeError("it ended by itself")


def _is_of_the_host(error: BaseException) -> bool:
    """Tell whether the host lacks room or permission, which a traceback would only bury."""
    no_thread = isinstance(error, RuntimeError) and "can't start new thread" in str(error)
    return no_thread or isinstance(error, TraptorError | OSError | MemoryError)
