"""Count errors by their names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from traptor.common.problem import ProblemDocument
from traptor.worker.posts.postline import name_of

# The names come from X; beyond this many, errors are counted together.
_MOST_KINDS: Final = 50
_OTHER_KINDS: Final = "others"


class ErrorCounts:
    """Adds to counts by name, which no server can make grow without end."""

    def __init__(self, counts: dict[str, int]) -> None:
        self._counts = counts

    def add(self, name: str) -> None:
        """Count one more error of this name."""
        counts = self._counts
        if name not in counts and len(counts) >= _MOST_KINDS:
            name = _OTHER_KINDS
        counts[name] = counts.get(name, 0) + 1

    def add_problems(self, problems: Iterable[ProblemDocument]) -> None:
        """Count what X calls problems."""
        for problem in problems:
            self.add(name_of(problem))
