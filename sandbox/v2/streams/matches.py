"""The record of the posts that an app's filters matched, whether or not anybody read them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any

from traptor.sandbox.clock import Instant
from traptor.sandbox.v2.posts import Matching


@dataclass(frozen=True, slots=True)
class Match:
    """One matched post: by which filters, when, and for which connections it was queued."""

    number: int
    post_id: str
    app: str
    matching: Matching
    at: Instant
    connections: tuple[int, ...]
    over_rate: bool
    tweet_number: int  # in the record of tweets

    def as_json(self) -> dict[str, Any]:
        """Return the match as the sandbox's own API shows it."""
        return {
            "n": self.number,
            "id": self.post_id,
            "app": self.app,
            "filters": [filter_id for filter_id, _ in self.matching],
            "at": self.at.unix,
            "at_mono": self.at.mono,
            "connections": self.connections,
            "over_rate": self.over_rate,
        }


class MatchLog:
    """The last `keep` matches."""

    def __init__(self, keep: int) -> None:
        self._matches: deque[Match] = deque(maxlen=keep)
        self.count = 0

    def add(
        self,
        post_id: str,
        app: str,
        matching: Matching,
        at: Instant,
        connections: tuple[int, ...],
        *,
        over_rate: bool,
        tweet_number: int,
    ) -> None:
        """Record a match."""
        self.count += 1
        self._matches.append(
            Match(self.count, post_id, app, matching, at, connections, over_rate, tweet_number)
        )

    def since(self, number: int) -> list[Match]:
        """Return the kept matches whose number is higher."""
        first = self.count - len(self._matches)
        return list(islice(self._matches, max(number - first, 0), None))

    def between(self, app: str, start_unix_s: float, end_unix_s: float) -> list[Match]:
        """Return an app's matches from `start` until before `end`, the oldest first."""
        late = takewhile(lambda match: match.at.unix >= start_unix_s, reversed(self._matches))
        return [one for one in late if one.app == app and one.at.unix < end_unix_s][::-1]
