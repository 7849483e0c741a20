"""What is remembered of the posts that came lately, and of those that X has billed today."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from traptor.worker.seen.ids import SeenIds
from traptor.worker.seen.words import TURNED, is_taken, post_of, time_of

# At 250 posts a second, which is the most that X sends, 35 minutes. At most 16 MiB.
LEAST_POSTS: Final = 1 << 19
KEPT_S: Final = 3_600.0
SILENCE_S: Final = 60.0  # longer without posts is a gap, and a gap makes no post older
_DAY_S: Final = 86_400


class Memory:
    """Remembers posts for one to two hours, as far as they are among the last `least`; at most twice as many.

    The hours are those in which posts came: what is fetched after a gap begins some seconds before the gap.
    What was billed is remembered until the end of the UTC day; beyond the same number it is counted again,
    on the safe side. Times are unix times.
    """

    def __init__(self, least: int = LEAST_POSTS, kept_s: float = KEPT_S) -> None:
        self._taken = SeenIds(least)
        self.has = self._taken.has
        """Tells whether a post was taken lately."""
        self.known = self._taken.known
        """Tells it of each of several posts."""
        self._billed = SeenIds(least)
        self._kept_s = kept_s
        self._passed_s = 0.0  # since posts were made older last
        self._last_s: float | None = None
        self._day_begins = self._day_ends = 0.0

    def take(self, posts: Sequence[int]) -> None:
        """Remember posts that were taken."""
        self._taken.add(posts)

    def is_billed(self, post: int, at_s: float) -> bool:
        """Tell whether a post was billed on the day of this moment."""
        return self._day_begins <= at_s < self._day_ends and self._billed.has(post)

    def bill(self, posts: Sequence[int], at_s: float) -> Sequence[int]:
        """Remember posts as billed at this moment; return those that were not yet, on that day."""
        if at_s >= self._day_ends:
            self._billed.clear()
            self._day_begins = at_s // _DAY_S * _DAY_S
            self._day_ends = self._day_begins + _DAY_S
        # one from before midnight that comes late: another worker is in the new day already
        return posts if at_s < self._day_begins else self._billed.add(posts)

    def pass_time(self, now_s: float) -> None:
        """Forget what is too old; called whenever posts came."""
        silent_s = 0.0 if self._last_s is None else now_s - self._last_s
        self._last_s = now_s
        self._passed_s += max(0.0, min(silent_s, SILENCE_S))  # a clock may be set back
        if self._passed_s >= self._kept_s:
            self._taken.age()
            self._passed_s = 0.0

    def learn(self, words: Iterable[int], at_s: float) -> float:
        """Take what others wrote, from this time on; return the time of the last word."""
        taken: list[int] = []
        billed: list[int] = []
        for word in words:
            if (time := time_of(word)) is not None:
                self._add(taken, billed, at_s)
                taken, billed, at_s = [], [], time
                self.pass_time(at_s)
            elif word != TURNED and (post := post_of(word)):
                if is_taken(word):
                    taken.append(post)
                billed.append(post)
        self._add(taken, billed, at_s)
        return at_s

    def _add(self, taken: Sequence[int], billed: Sequence[int], at_s: float) -> None:
        self._taken.add(taken)
        if billed:
            self.bill(billed, at_s)
