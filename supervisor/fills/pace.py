"""Pace the searches of one app: X allows one a second and 300 in 15 minutes. Pure.

Facts: X, "Rate limits", `GET /2/tweets/search/all`. What its headers announce counts where it is less.
"""

from __future__ import annotations

from collections import deque

APART_S = 1.0
WINDOW_S = 900.0
MOST_IN_WINDOW = 300


class Pace:
    """Remembers when searches were made; times are monotonic seconds."""

    def __init__(self) -> None:
        self._made: deque[float] = deque(maxlen=MOST_IN_WINDOW)
        self._not_before = 0.0

    def next_at(self) -> float:
        """Return when the next one may be made."""
        apart = self._made[-1] + APART_S if self._made else 0.0
        window = self._made[0] + WINDOW_S if len(self._made) == MOST_IN_WINDOW else 0.0
        return max(apart, window, self._not_before)

    def made(self, now: float) -> None:
        """Count one that is made now."""
        self._made.append(now)

    def answered(self, now: float) -> None:
        """Take note of an answer: X may have received the request only just before it."""
        self._not_before = max(self._not_before, now + APART_S)

    def told(self, remaining: int | None, resets_at: float | None) -> None:
        """Take what X announced: with nothing remaining, the next one is due at the reset."""
        if remaining == 0 and resets_at is not None:
            self._not_before = max(self._not_before, resets_at)
