"""Read the figures of all rules of some groups: one hash a group and hour, not one key a rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import redis
from redis.exceptions import ResponseError

from traptor.common.redis.client import REDIS_ERRORS, hash_pages, unavailable
from traptor.common.rules.rule import GroupId
from traptor.rulekit.figures.figure import HOUR_S, Figure

_HOURS = 24
_KINDS = ("", ":last", ":first", ":held")
_TOGETHER = 100  # counts of each hash that are read at once

_Counts = dict[bytes, bytes]  # by rule; the collector of garbage looks into no dict of nothing but bytes


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """What the workers counted of one group's rules, as it stands in Redis."""

    totals: _Counts = field(default_factory=dict, repr=False)
    last: _Counts = field(default_factory=dict, repr=False)
    first: _Counts = field(default_factory=dict, repr=False)
    held: _Counts = field(default_factory=dict, repr=False)
    hours: Mapping[int, _Counts] = field(default_factory=dict, repr=False)

    @property
    def rules(self) -> set[str]:
        """The rules that matched, or were held, by `type:id:rule_id`."""
        names = (name.decode(errors="replace") for name in (*self.totals, *self.held))
        return {name for name in names if ":" in name}

    def of(self, rule: str) -> Figure:
        """Return the figure of one rule; that of one that never matched is empty."""
        name = rule.encode()
        total = _number(self.totals.get(name))
        first_at, before = _first(self.first.get(name))
        counts = {hour: _number(counts[name]) for hour, counts in self.hours.items() if name in counts}
        last_at = float(_number(self.last[name])) if name in self.last else None
        return Figure(rule, total, total - before, first_at, last_at, counts, _number(self.held.get(name)))


def read_figures(client: redis.Redis, groups: Sequence[GroupId], now: float) -> dict[str, Figure]:
    """Return the figures of rules that matched, by `type:id:rule_id`. Raises RedisUnavailable."""
    found: dict[str, Figure] = {}
    try:
        for group in groups:
            counts = read_counts(client, group, now)
            found |= {rule: counts.of(rule) for rule in counts.rules}
    except REDIS_ERRORS as error:
        raise unavailable(client, error) from error
    return found


def read_counts(
    client: redis.Redis, group: GroupId, now: float, pause: Callable[[], None] = lambda: None
) -> GroupCounts:
    """Return what was counted of a group; `pause` is called after each piece. Raises redis-py's errors."""
    hours = range(int(now) // HOUR_S - _HOURS + 1, int(now) // HOUR_S + 1)
    names = [f"traptor:totals:{group}{kind}" for kind in (*_KINDS, *(f":hour:{hour}" for hour in hours))]
    found: dict[str, _Counts] = {name: {} for name in names}
    cursors = dict.fromkeys(names, 0)
    while cursors:
        with client.pipeline(transaction=False) as pipeline:
            for name, cursor in cursors.items():
                pipeline.hscan(name, cursor, count=_TOGETHER)
            pages = hash_pages(len(cursors))(pipeline.execute(raise_on_error=False))
        for name, page in zip(list(cursors), pages, strict=True):
            if isinstance(page, ResponseError):  # a key of another type counts as empty
                del cursors[name]
                continue
            cursors[name], counts = page
            found[name] |= counts
            if not cursors[name]:
                del cursors[name]
        pause()
    totals, last, first, held, *by_hour = found.values()
    return GroupCounts(totals, last, first, held, dict(zip(hours, by_hour, strict=True)))


def _number(text: bytes | None) -> int:
    return int(text) if text and text.isdigit() else 0


def _first(text: bytes | None) -> tuple[float | None, int]:
    at, _, before = (text or b"").partition(b":")
    return (float(at), _number(before)) if at.isdigit() else (None, 0)
