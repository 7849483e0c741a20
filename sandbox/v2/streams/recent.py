"""The last tweets of the timeline, for questions about recent posts."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from traptor.sandbox.tweets.maker import Tweet

_MOST = 2_000


class RecentTweets:
    """Keeps the last tweets, with the time (unix) at which each was published."""

    def __init__(self) -> None:
        self._tweets: deque[tuple[float, Tweet]] = deque(maxlen=_MOST)

    def add(self, unix: float, tweet: Tweet) -> None:
        """Keep a tweet."""
        self._tweets.append((unix, tweet))

    def all(self) -> Sequence[tuple[float, Tweet]]:
        """Return all, the oldest first."""
        return tuple(self._tweets)
