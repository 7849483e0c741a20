"""Count what X bills for the lines of a stream.

X bills a post once per UTC day and app, wherever it stands, and a user in the includes each time (X,
"Pricing" and "Post cap"; the sandbox's bill reads them in the same way). A worker knows only what it received
itself, so a post that came to an earlier generation on the same day is counted again.
"""

from __future__ import annotations

from typing import Final

from traptor.worker.posts.post import PostLine
from traptor.worker.posts.seenids import SeenIds

POSTS, INCLUDED_POSTS, INCLUDED_USERS = "posts", "included_posts", "included_users"
_DAY_S: Final = 86_400
# A day with more posts costs some thousand dollars. What is further back than this is counted again, on the
# safe side; the memory stays below 16 MiB.
_LEAST_IDS: Final = 1 << 19
_MOST_ID: Final = (1 << 64) - 1


class PaidReads:
    """Counts reads by kind, for one worker."""

    def __init__(self, least_ids: int = _LEAST_IDS) -> None:
        self._counts = {POSTS: 0, INCLUDED_POSTS: 0, INCLUDED_USERS: 0}
        self._seen = SeenIds(least_ids)
        self._day = 0

    def count(self, line: PostLine, received_at_s: float) -> None:
        """Count a line with a post, received at this unix time."""
        day = int(received_at_s // _DAY_S)
        if day != self._day:
            self._day = day
            self._seen.clear()
        counts = self._counts
        if self._is_first(line.post.id):
            counts[POSTS] += 1
        includes = line.includes
        if includes is not None:
            counts[INCLUDED_USERS] += len(includes.users or ())
            for post in line.included_posts:
                if self._is_first(post.id):
                    counts[INCLUDED_POSTS] += 1

    def so_far(self) -> dict[str, int]:
        """Return the counts, by kind (any thread)."""
        return dict(self._counts)

    def _is_first(self, post_id: str | None) -> bool:
        """Tell whether the post is new today; what has no usual id is new each time."""
        try:
            number = int(post_id or "")
        except ValueError:
            return True
        return not 0 < number <= _MOST_ID or self._seen.add(number)
