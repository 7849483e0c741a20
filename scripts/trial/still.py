"""Facts that take time: whether something has come to rest, and costly ones, which are checked seldom."""

from __future__ import annotations

import time
from collections.abc import Callable


class Still:
    """True once the result of `look` has stayed the same for this long."""

    def __init__(self, look: Callable[[], object], for_s: float) -> None:
        self._look = look
        self._for_s = for_s
        self._seen: object = None
        self._since = time.monotonic()

    def __call__(self) -> bool:
        now = time.monotonic()
        seen = self._look()
        if seen != self._seen:
            self._seen, self._since = seen, now
        return now - self._since >= self._for_s


class Seldom:
    """Checks a fact at most this often; in between it counts as false."""

    def __init__(self, fact: Callable[[], bool], every_s: float) -> None:
        self._fact = fact
        self._every_s = every_s
        self._next = 0.0

    def __call__(self) -> bool:
        if time.monotonic() < self._next:
            return False
        found = self._fact()
        self._next = time.monotonic() + self._every_s
        return found
