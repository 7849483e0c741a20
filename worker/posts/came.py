"""Posts that came together: each step is taken for all of them before the next one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress
from typing import NamedTuple

from traptor.worker.posts.head import HeadPost, PostHead


class Came(NamedTuple):
    """Posts in their order, each by its line, the head of it, and its number; some were seen before."""

    raws: Sequence[bytes]
    heads: Sequence[PostHead]
    posts: Sequence[HeadPost]
    numbers: Sequence[int]
    seen: Sequence[bool]

    def only(self, chosen: Sequence[bool]) -> Came:
        """Return those that are chosen."""
        return Came(
            [*compress(self.raws, chosen)],
            [*compress(self.heads, chosen)],
            [*compress(self.posts, chosen)],
            [*compress(self.numbers, chosen)],
            [*compress(self.seen, chosen)],
        )

    def singly(self) -> Iterator[Came]:
        """Yield each post alone."""
        for at in range(len(self.raws)):
            alone = slice(at, at + 1)
            yield Came(
                self.raws[alone], self.heads[alone], self.posts[alone], self.numbers[alone], self.seen[alone]
            )
