"""A token bucket for each rule with a rate limit: which matches exceed it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

import orjson

from traptor.common.config.kinds.pergroup import PerGroup
from traptor.common.rules.rule import Rule
from traptor.common.timing.rates import CAPACITY, RATE, RateLimit, read_rate_limit

_NO_LIMIT = "none"
_NOTHING: tuple[int, ...] = ()


class Bucket:
    """The matches that a rule may still have delivered."""

    __slots__ = ("_at", "_left", "limit")

    def __init__(self, limit: RateLimit, now: float) -> None:
        self.limit = limit
        self._left = limit.capacity
        self._at = now

    def take(self, now: float) -> bool:
        """Take one match; return False when it exceeds the limit."""
        self._left = min(self.limit.capacity, self._left + (now - self._at) * self.limit.rate)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Buckets:
    """The buckets of the rules in force; a rule keeps its own through a change of rules."""

    def __init__(self, rows: Sequence[tuple[str, str]], clock: Callable[[], float] = time.monotonic) -> None:
        """Take the lines of the ini: a pattern of groups, and `RATE CAPACITY`."""
        self._by_group = PerGroup.parse(rows)
        self._is_set = bool(rows)
        self._clock = clock
        self._known: dict[str, Bucket] = {}  # by Redis key
        self._by_index: dict[int, Bucket] = {}
        self.unreadable = 0  # rules whose own rate cannot be read; they have their group's

    def __len__(self) -> int:
        return len(self._by_index)

    def use(self, rules: Sequence[Rule]) -> None:
        """Take the rules that indexes refer to from now on."""
        known, self._known, self._by_index, self.unreadable = self._known, {}, {}, 0
        for index, rule in enumerate(rules):
            limit = self._limit(rule)
            if limit is not None:
                before = known.get(rule.key)
                bucket = before if before and before.limit == limit else Bucket(limit, self._clock())
                self._known[rule.key] = self._by_index[index] = bucket

    def exceeding(self, matched: Sequence[int]) -> Collection[int]:
        """Return which of these rules (indexes) have no match left now; the others have one less."""
        buckets = self._by_index
        if not buckets:
            return _NOTHING
        now = self._clock()
        return [index for index in matched if (one := buckets.get(index)) is not None and not one.take(now)]

    def _limit(self, rule: Rule) -> RateLimit | None:
        of_group = self._by_group.of(rule.group).split() if self._is_set else []
        usual = read_rate_limit(*of_group) if of_group else None
        if not rule.has_rate:
            return usual
        fields = orjson.loads(rule.json)
        own = str(fields.get(RATE, "")).strip()
        if own in ("", _NO_LIMIT):
            return None if own else usual
        try:
            return read_rate_limit(own, str(fields.get(CAPACITY, "")).strip())
        except ValueError:
            self.unreadable += 1
            return usual
