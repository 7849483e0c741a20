"""What about one second of streaming adds to the counters in Redis, and what waits to be added."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

# The sorted sets tell rates, not totals: more members of a busy rule would only cost memory.
MOST_A_SECOND = 50


@dataclass(slots=True)
class Tick:
    """Counts since `began` (unix time)."""

    began: float
    received: int = 0  # tweets
    matched: int = 0  # tweets with at least one rule
    limited: int = 0  # tweets that the server withheld
    matches: dict[int, int] = field(default_factory=dict)  # by index of the rule

    def totals(self, name_of: Callable[[int], str]) -> Counter[str]:
        """The same as fields of the totals' hash."""
        counts = Counter({name_of(index): count for index, count in self.matches.items()})
        counts.update(received=self.received, matched=self.matched, limited=self.limited)
        return +counts


def match_members(began: float, count: int, numbers: Iterator[int]) -> dict[str, float]:
    """Members `<time>.<n>` and their scores, for `count` matches of one rule."""
    return {f"{int(began)}.{next(numbers)}": began for _ in range(min(count, MOST_A_SECOND))}


@dataclass(slots=True)
class Unsent:
    """Totals that Redis does not have yet.

    They go in numbered batches. One whose answer was lost is sent again as it was, under its number, by which
    Redis knows it: nothing is counted twice.
    """

    number: int = 0
    batch: dict[str, int] = field(default_factory=dict)
    later: Counter[str] = field(default_factory=Counter)

    def next_batch(self) -> dict[str, int]:
        """What to send now under `number`; empty when there is nothing."""
        if not self.batch and self.later:
            self.number += 1
            self.batch, self.later = dict(self.later), Counter()
        return self.batch

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to send."""
        return bool(self.batch or self.later)

    def was_taken(self) -> None:
        """Redis has the batch."""
        self.batch = {}
