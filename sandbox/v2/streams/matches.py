"""The record of the posts that an app's filters matched, whether or not anybody read them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Any

from traptor.sandbox.clock import Instant
from traptor.sandbox.v2.posts import Matching


@dataclass(frozen=True, slots=True)
class Match:
    """One matched post: by which filters, when, and for which connections it was queued."""

    number: int
    post_id: str
    app: str
    filter_ids: tuple[str, ...]
    at: Instant
    connections: tuple[int, ...]
    over_rate: bool

    def as_json(self) -> dict[str, Any]:
        """Return the match as the sandbox's own API shows it."""
        return {
            "n": self.number,
            "id": self.post_id,
            "app": self.app,
            "filters": self.filter_ids,
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
    ) -> None:
        """Record a match."""
        self.count += 1
        ids = tuple(filter_id for filter_id, _ in matching)
        self._matches.append(Match(self.count, post_id, app, ids, at, connections, over_rate))

    def since(self, number: int) -> list[Match]:
        """Return the kept matches whose number is higher."""
        first = self.count - len(self._matches)
        return list(islice(self._matches, max(number - first, 0), None))
