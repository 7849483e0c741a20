"""Waiting for an observable fact, with a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

DEADLINE_S = 60.0  # with coverage on a busy machine a supervisor alone takes half of it to start


def wait_for(fact: Callable[[], T], what: str, within_s: float = DEADLINE_S) -> T:
    """The first truthy answer of `fact`. Fails naming `what` when none came in time."""
    deadline = time.monotonic() + within_s
    while True:
        answer = fact()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:g} s: {what} (last: {answer!r})")
        time.sleep(0.02)


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until they have ended, as the master does: redis-py can swallow a cancellation."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=0.2)
