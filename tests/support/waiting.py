"""Waiting for an observable fact, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE_S = 30.0


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
