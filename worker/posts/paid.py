"""Count what X bills for the lines of a stream.

X bills a post once per UTC day and app, wherever it stands, and a user in the includes each time (X,
"Pricing" and "Post cap"; the sandbox's bill reads them in the same way). A worker knows only what it received
itself, so a post that came to an earlier generation on the same day is counted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from traptor.worker.posts.head import PostHead
from traptor.worker.posts.seenids import SeenIds, number_of

_DAY_S: Final = 86_400
# A day with more posts costs some thousand dollars. What is further back than this is counted again, on the
# safe side; the memory stays below 16 MiB.
_LEAST_IDS: Final = 1 << 19


class PaidReads:
    """Counts reads by kind, for one worker."""

    def __init__(self, least_ids: int = _LEAST_IDS) -> None:
        self._posts = self._included_posts = self._included_users = 0
        self._seen = SeenIds(least_ids)
        self._day_begins = self._day_ends = 0.0

    def count(self, head: PostHead, received_at_s: float) -> None:
        """Count a line with a post, received at this unix time."""
        if not self._day_begins <= received_at_s < self._day_ends:
            self._turn_to_day(received_at_s)
        assert head.data is not None
        self._posts += self._is_first(head.data.id)
        includes = head.includes
        if includes is not None:
            self._included_users += len(includes.users or ())
            for post in head.included_posts:
                self._included_posts += self._is_first(post.id)

    def count_page(
        self,
        posts: Sequence[str | None],
        included_posts: Sequence[str | None],
        included_users: int,
        received_at_s: float,
    ) -> dict[str, int]:
        """Count a page of posts with all that came along, and return the counts of it."""
        before = self.so_far()
        self._turn_to_day(received_at_s)
        self._posts += sum([self._is_first(one) for one in posts])
        self._included_posts += sum([self._is_first(one) for one in included_posts])
        self._included_users += included_users
        return {kind: count - before[kind] for kind, count in self.so_far().items()}

    def so_far(self) -> dict[str, int]:
        """Return the counts, by kind (any thread)."""
        return {
            "posts": self._posts,
            "included_posts": self._included_posts,
            "included_users": self._included_users,
        }

    def _turn_to_day(self, at_s: float) -> None:
        """Forget the posts of another day."""
        if not self._day_begins <= at_s < self._day_ends:
            self._day_begins = at_s // _DAY_S * _DAY_S
            self._day_ends = self._day_begins + _DAY_S
            self._seen.clear()

    def _is_first(self, post_id: str | None) -> bool:
        """Tell whether the post is new today; what has no usual id is new each time."""
        number = number_of(post_id)
        return number is None or self._seen.add(number)
