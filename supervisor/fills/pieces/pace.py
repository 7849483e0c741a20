"""Pace the searches of one app: X allows one a second and 300 in 15 minutes. Pure.

Facts: X, "Rate limits", `GET /2/tweets/search/all`. What its headers announce counts where it is less.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from traptor.supervisor.state.kept import read_kept

APART_S = 1.0
WINDOW_S = 900.0
MOST_IN_WINDOW = 300
_LONGEST_WAIT_S = 86_400.0  # a reset beyond it cannot be meant
_UNREADABLE = (
    "the searches kept in state_dir cannot be read; move state.db away to start without them"
    " (X may then refuse some searches)"
)


class Pace:
    """Remembers when searches were made; times are monotonic seconds."""

    def __init__(self, made: Iterable[float] = (), not_before: float = 0.0) -> None:
        self._made: deque[float] = deque(made, maxlen=MOST_IN_WINDOW)
        self._not_before = not_before

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

    def dump(self, now: float, wall_now: float) -> dict[str, Any]:
        """Return it as JSON values, with wall-clock times, for state_dir."""
        by_s = wall_now - now
        made = [at + by_s for at in self._made if at + WINDOW_S > now]
        return {"saved_at": wall_now, "made": made, "not_before": self._not_before + by_s}


@dataclass(frozen=True, slots=True)
class _Dump:
    saved_at: float
    made: tuple[float, ...]
    not_before: float


def load_pace(dump: Mapping[str, Any], now: float, wall_now: float) -> Pace:
    """Return the pace of a dump. Raises TraptorError where it is none.

    A worker that died with its master may have asked until now. When the wall clock was set back meanwhile,
    no time counts as passed.
    """
    saved = read_kept(_Dump, dump, _UNREADABLE)
    by_s = now - max(wall_now, saved.saved_at)
    not_before = min(saved.not_before + by_s, now + _LONGEST_WAIT_S)
    return Pace(sorted(min(at + by_s, now) for at in saved.made), max(not_before, now + APART_S))
