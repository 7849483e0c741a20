"""A job that fails, however it fails, is begun again; that is said, counted and shown."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.waiting import DEADLINE_S

from traptor.supervisor import jobs as jobs_module
from traptor.supervisor.jobs import (
    LONGEST_PAUSE_S,
    STEADY_S,
    TOGETHER_S,
    Jobs,
    Trouble,
    every,
    together,
)

Run = Callable[[], Coroutine[Any, Any, None]]
FAILED = "a job of the master failed"
UNFORESEEN = [
    KeyError("unforeseen"),
    TypeError("cannot unpack non-iterable NoneType object"),
    AssertionError(),
    OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
    OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    RuntimeError("can't start new thread"),
    MemoryError(),
    RecursionError("maximum recursion depth exceeded"),
    asyncio.CancelledError(),
    ExceptionGroup("several", [ValueError("one")]),
]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "FIRST_PAUSE_S", 0.01)


def failing_once(error: BaseException, done: asyncio.Event) -> Run:
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise error
        done.set()
        await asyncio.Event().wait()

    return run


async def keep(run: Run, done: asyncio.Event) -> Jobs:
    jobs = Jobs()
    jobs.start("it", run)
    async with asyncio.timeout(DEADLINE_S):
        await done.wait()
    await jobs.end()
    return jobs


@pytest.mark.parametrize("error", UNFORESEEN, ids=repr)
def test_a_job_that_fails_is_begun_again(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> list[dict[str, Any]]:
        done = asyncio.Event()
        return (await keep(failing_once(error, done), done)).status(lambda at: at)

    (shown,) = asyncio.run(run())
    assert (shown["job"], shown["failures"]) == ("it", 1)
    assert type(error).__name__ in shown["error"]
    assert [record.levelname for record in caplog.records if FAILED in record.message] == ["ERROR"]


def test_a_job_that_ends_by_itself_is_begun_again() -> None:
    async def run() -> int:
        done, runs = asyncio.Event(), 0

        async def ends() -> None:
            nonlocal runs
            runs += 1
            if runs == 3:
                done.set()

        await keep(ends, done)
        return runs

    assert asyncio.run(run()) >= 3


def test_a_job_that_is_cancelled_ends() -> None:
    async def run() -> bool:
        begun = asyncio.Event()

        async def waits() -> None:
            begun.set()
            await asyncio.Event().wait()

        jobs = await keep(waits, begun)
        return all(task.done() for task in jobs._tasks)

    assert asyncio.run(run())


def test_trouble_of_the_host_is_a_sentence_and_an_error_of_ours_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Trouble("it").failed(OSError(errno.EMFILE, "Too many open files"), 0.0)
    Trouble("it").failed(RuntimeError("can't start new thread"), 0.0)
    Trouble("it").failed(KeyError("ours"), 0.0)
    assert [bool(record.exc_info) for record in caplog.records] == [False, False, True]


def test_pauses_double_and_the_same_error_is_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    trouble, now, pauses = Trouble("it"), 0.0, []
    for _ in range(10):
        trouble.failed(KeyError("x"), now)
        pauses.append(trouble.retry_at - now)
        now = trouble.retry_at
    assert pauses[0] == jobs_module.FIRST_PAUSE_S
    assert pauses == sorted(pauses)
    assert pauses[-1] <= LONGEST_PAUSE_S
    assert len(caplog.records) == 1 + int(now // 60)
    trouble.failed(KeyError("y"), now)
    assert "KeyError: 'y'" in str(caplog.records[-1].__dict__["fields"])


def test_what_goes_well_for_long_is_forgotten_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    trouble = Trouble("it")
    trouble.failed(KeyError("x"), 0.0)
    trouble.went_well(STEADY_S - 1)
    assert trouble.error is not None
    trouble.went_well(STEADY_S)
    assert trouble.error is None
    assert "works again" in caplog.records[-1].message
    trouble.failed(KeyError("x"), 100.0)
    assert trouble.retry_at == 100.0 + jobs_module.FIRST_PAUSE_S
    assert trouble.failures == 2


def test_a_step_of_the_loop_that_fails_is_left_out_for_a_while_and_then_tried_again() -> None:
    now = 100.0
    jobs = Jobs(lambda: now)
    assert jobs.attempt("step", lambda: 1 // 0, 7) == 7
    assert jobs.retry_at("step") == 100.0 + jobs_module.FIRST_PAUSE_S
    assert jobs.attempt("step", lambda: 5, 7) == 7
    now += jobs_module.FIRST_PAUSE_S
    assert jobs.retry_at("step") is None
    assert jobs.attempt("step", lambda: 5, 7) == 5


def test_a_stop_tries_at_once_what_failed() -> None:
    jobs = Jobs(lambda: 100.0)
    jobs.attempt("step", lambda: 1 // 0, 7)
    jobs.hurry()
    assert jobs.attempt("step", lambda: 5, 7) == 5


@given(st.floats(0, 1e9), st.floats(0, 7200))
def test_pauses_end_together_and_never_late_nor_much_too_soon(now: float, pause_s: float) -> None:
    due = together(now, pause_s)
    assert now <= due <= now + pause_s
    assert now + pause_s - due < TOGETHER_S
    if pause_s >= TOGETHER_S:
        assert due % TOGETHER_S == 0


@given(st.integers(0, 10**9), st.floats(0, TOGETHER_S / 2), st.sampled_from([0.5, 1.0, 5.0, 60.0]))
def test_what_is_due_every_so_often_keeps_its_time(beats: int, took_s: float, interval_s: float) -> None:
    began = beats * TOGETHER_S
    assert together(began + took_s, interval_s) == pytest.approx(began + interval_s, abs=1e-6)


def test_a_step_is_done_every_so_often() -> None:
    async def run() -> int:
        steps = 0

        def step() -> None:
            nonlocal steps
            steps += 1
            if steps == 5:
                raise KeyError

        with pytest.raises(KeyError):
            await every(lambda: 0.0, step)()
        return steps

    assert asyncio.run(run()) == 5


def test_a_step_that_takes_long_leaves_the_loop_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pauses are four times as long as it took, or what is left of the interval, whichever is longer."""
    pauses: list[float] = []
    now, takes_s = 0.0, iter([0.0, 0.1, 2.0])

    async def note(pause_s: float) -> None:
        pauses.append(pause_s)
        if len(pauses) == 4:
            raise asyncio.CancelledError

    def step() -> None:
        nonlocal now
        now += next(takes_s)

    monkeypatch.setattr(jobs_module, "asyncio", SimpleNamespace(sleep=note))
    monkeypatch.setattr(jobs_module, "time", SimpleNamespace(monotonic=lambda: now))
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(every(lambda: 1.0, step, 5.0)())
    assert pauses == pytest.approx([5.0, 1.0, 0.9, 8.0])


def test_what_the_event_loop_would_only_print_is_said_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> list[dict[str, Any]]:
        jobs, loop = Jobs(), asyncio.get_running_loop()
        loop.set_exception_handler(jobs.on_loop_error)
        for _ in range(3):
            loop.call_soon(lambda: 1 // 0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return jobs.status(lambda at: at)

    (shown,) = asyncio.run(run())
    assert (shown["job"], shown["failures"]) == ("event loop", 3)
    assert len(caplog.records) == 1
