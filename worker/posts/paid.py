"""Find what X bills for the lines of a stream.

X bills a post once per UTC day and app, wherever it stands, and a user in the includes each time (X,
"Pricing" and "Post cap"; the sandbox's bill reads them in the same way). Posts are counted by the register of
the app, which knows what was billed before (`worker/seen/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from traptor.worker.posts.head import HeadIncludes, PostHead
from traptor.worker.seen.ids import numbers_of

_INCLUDES_OF = attrgetter("includes")


def included_posts(head: PostHead) -> tuple[int, ...]:
    """Return the ids of the posts in a line's includes; 0 for one that is no usual id."""
    return () if head.includes is None else posts_in(head.includes)


def included_in(heads: Sequence[PostHead]) -> list[tuple[int, ...]]:
    """Return the same for each of several lines."""
    expanded = [*map(_INCLUDES_OF, heads)]
    if expanded.count(None) == len(expanded):  # as always where nothing is expanded
        return [()] * len(expanded)
    return [() if one is None else posts_in(one) for one in expanded]


def posts_in(includes: HeadIncludes) -> tuple[int, ...]:
    """Return the ids of the posts in some includes; 0 for one that is no usual id."""
    return tuple(numbers_of([post.id for post in includes.all_posts]))


def included_users(head: PostHead) -> int:
    """Return the number of users in a line's includes."""
    return 0 if head.includes is None else len(head.includes.users or ())


def included_users_in(heads: Sequence[PostHead]) -> int:
    """Return the number of users in the includes of several lines."""
    return sum([included_users(head) for head in heads if head.includes is not None])
