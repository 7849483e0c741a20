"""Posts on their way, what they turn out to be when they are kept, and those that were kept."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, compress
from typing import NamedTuple, Protocol, TypeVar

Ours = Sequence[bool] | None
"""Which of some posts this worker has taken; another worker has the others. None: all, as nearly always."""

_Item = TypeVar("_Item")


class KeptPost(NamedTuple):
    """One post that an output or an outbox holds; ids as of claims."""

    post: int
    included: tuple[int, ...]
    received_at_s: float
    """Unix time."""


class Claims(Protocol):
    """Posts that came together, from their handling until they are kept, in the order of their messages.

    Ids are numbers; 0 is one that is no usual id, which nobody has ever seen.
    """

    received_at_s: float
    posts: list[int]
    included: list[tuple[int, ...]]
    """For each post, those that stand in its includes."""
    ours: Ours
    """The verdict, which stands once they are settled."""

    def settle(self) -> None:
        """Take the verdict, once: by whichever thread commits, never by two at once."""


def only(ours: Ours, items: Sequence[_Item]) -> Sequence[_Item]:
    """Return the items of the posts that are ours."""
    return items if ours is None else [*compress(items, ours)]


def ours_of_all(claims: Sequence[Claims]) -> Ours:
    """Return the verdicts on all claims in one."""
    if all(one.ours is None for one in claims):
        return None
    each = ([True] * len(one.posts) if one.ours is None else one.ours for one in claims)
    return [*chain.from_iterable(each)]
