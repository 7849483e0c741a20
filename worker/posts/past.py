"""Posts of the past that X sends again: before a stream's live ones (`backfill_minutes`), or for a recovery.

A backfill comes before the live posts, roughly, and repeats what was delivered. When it is over is not said:
here, when none of its posts came for a while.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from traptor.worker.seen.ids import number_of

QUIET_S: Final = 10.0  # X's posts come up to 7 s after they were written, and not in order
_EPOCH_MS: Final = 1_288_834_974_657  # an id is (ms since then) << 22 and a sequence number


def written_at(post_id: str | None) -> float | None:
    """Return when a post was written (Unix time), by its id; None for what is no usual id."""
    if post_id is None or not (post_id.isascii() and post_id.isdecimal()):
        return None
    number = number_of(post_id)
    return None if number is None else ((number >> 22) + _EPOCH_MS) / 1000


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one line of a recovery; `ends`: it announced that the stream ends."""

    post_id: str | None = None
    is_new: bool = False
    reads: Mapping[str, int] = field(default_factory=dict)
    ends: bool = False


class Backlog:
    """Owns the counts of a backfill's posts; `opened_unix` is a Unix time, the others are monotonic."""

    def __init__(self, opened_unix: float, now: float) -> None:
        self._opened_unix = opened_unix
        self.last_at = now
        self.posts = self.new = 0
        self.reads: dict[str, int] = {}

    def holds(self, post_id: str | None) -> bool:
        """Tell whether a post was written before the stream opened."""
        at = written_at(post_id)
        return at is not None and at < self._opened_unix

    def took(self, is_new: bool, reads: Mapping[str, int], now: float) -> None:
        """Count one of them, and what X bills for it."""
        self.posts += 1
        self.new += is_new
        self.last_at = now
        self.reads = {kind: self.reads.get(kind, 0) + count for kind, count in reads.items()}

    def is_over(self, now: float) -> bool:
        """Tell whether none came for a while."""
        return now - self.last_at >= QUIET_S
