"""Choose the key to lend: the best of those with a free slot. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from traptor.supervisor.keys.news import News


class Rank(NamedTuple):
    """The place of a key with a free slot: they are compared member by member, and the smallest is lent."""

    ready_at: float  # at once, or after the shortest wait
    has_failed: bool  # since its last stream that lasted
    lent: int
    less_left: int  # of its budget: the number of connects left, negated
    name: str
    key_id: str


class KeyChoice:
    """Ranks keys for the present moment, each only once until it changes: a pool may have many to compare."""

    def __init__(self, rank: Callable[[str, float], Rank | None], news: News) -> None:
        self._rank = rank  # None: it has no slot to lend
        self._news = news
        self._ranks: dict[str, Rank | None] = {}
        self._ranked_at = 0.0

    def best(self, key_ids: Iterable[str], now: float) -> str | None:
        """Return the best of these keys, or None when none has a free slot."""
        self._forget_outdated(now)
        ranks = (self._rank_of(key_id, now) for key_id in key_ids)
        best = min((rank for rank in ranks if rank is not None), default=None)
        return None if best is None else best.key_id

    def _rank_of(self, key_id: str, now: float) -> Rank | None:
        if key_id not in self._ranks:
            self._ranks[key_id] = self._rank(key_id, now)
        return self._ranks[key_id]

    def _forget_outdated(self, now: float) -> None:
        outdated = self._news.take_unranked()
        if self._ranked_at != now:
            self._ranked_at = now
            self._ranks.clear()
        for key_id in outdated:
            self._ranks.pop(key_id, None)
