"""The posts that came lately over one connection, to tell those that come again."""

from __future__ import annotations

from typing import Final

from traptor.worker.posts.seenids import SeenIds, number_of

# At 250 posts a second, which is the most that X sends, 17 minutes; on a slower stream longer. At most 8 MiB.
LEAST_POSTS: Final = 1 << 18


class RecentPosts:
    """Remembers the last posts of one generation."""

    def __init__(self, least: int = LEAST_POSTS) -> None:
        self._seen = SeenIds(least)

    def was_seen(self, post_id: str | None) -> bool:
        """Remember a post, and tell whether it came before; what has no usual id never did."""
        number = number_of(post_id)
        return number is not None and not self._seen.add(number)
