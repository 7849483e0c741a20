"""Choose the key to lend: the best of those with a free slot. Pure."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Collection
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
    """Keeps keys in their order for the present moment: at a start, as many are chosen as there are keys."""

    def __init__(self, rank: Callable[[str, float], Rank | None], news: News) -> None:
        self._rank = rank  # None: it has no slot to lend
        self._news = news
        self._order: list[Rank] = []
        self._ranks: dict[str, Rank] = {}  # of the keys in order
        self._ranked_at: float | None = None

    def best(self, key_ids: Collection[str], now: float, avoid: Collection[str] = ()) -> str | None:
        """Return the best of these keys but those to avoid, or None when none has a free slot."""
        outdated = self._news.take_unranked()
        if self._ranked_at != now:
            self._ranked_at = now
            self._rank_all(key_ids, now)
        else:
            for key_id in outdated:
                self._rank_again(key_id, key_ids, now)
        able = (rank.key_id for rank in self._order)
        return next((key_id for key_id in able if key_id in key_ids and key_id not in avoid), None)

    def _rank_all(self, key_ids: Collection[str], now: float) -> None:
        ranks = (self._rank(key_id, now) for key_id in key_ids)
        self._order = sorted(rank for rank in ranks if rank is not None)
        self._ranks = {rank.key_id: rank for rank in self._order}

    def _rank_again(self, key_id: str, key_ids: Collection[str], now: float) -> None:
        former = self._ranks.pop(key_id, None)
        if former is not None:
            del self._order[bisect_left(self._order, former)]
        rank = self._rank(key_id, now) if key_id in key_ids else None
        if rank is not None:
            insort(self._order, rank)
            self._ranks[key_id] = rank
