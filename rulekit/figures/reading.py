"""Read the figures of all rules of some groups: one hash a group and hour, not one key a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import redis

from traptor.common.redis.client import REDIS_ERRORS, hashes, unavailable
from traptor.common.rules.rule import GroupId
from traptor.rulekit.figures.figure import HOUR_S, Figure

_HOURS = 24
_KINDS = ("", ":last", ":first", ":held")


def read_figures(client: redis.Redis, groups: Sequence[GroupId], now: float) -> dict[str, Figure]:
    """Return the figures of rules that matched, by `type:id:rule_id`. Raises RedisUnavailable."""
    found: dict[str, Figure] = {}
    try:
        for group in groups:
            found |= _of_group(client, group, now)
    except REDIS_ERRORS as error:
        raise unavailable(client, error) from error
    return found


def _of_group(client: redis.Redis, group: GroupId, now: float) -> dict[str, Figure]:
    hours = range(int(now) // HOUR_S - _HOURS + 1, int(now) // HOUR_S + 1)
    names = [*_KINDS, *(f":hour:{hour}" for hour in hours)]
    with client.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.hgetall(f"traptor:totals:{group}{name}")
        replies = hashes(len(names))(pipeline.execute(raise_on_error=False))
    totals, last, first, held, *by_hour = [_texts(reply) for reply in replies]
    rules = {rule for rule in (*totals, *held) if ":" in rule}
    found = {}
    for rule in rules:
        total = _number(totals.get(rule))
        first_at, before = _first(first.get(rule))
        counts = {
            hour: _number(one.get(rule)) for hour, one in zip(hours, by_hour, strict=True) if rule in one
        }
        last_at = float(_number(last[rule])) if rule in last else None
        found[rule] = Figure(rule, total, total - before, first_at, last_at, counts, _number(held.get(rule)))
    return found


def _texts(reply: object) -> Mapping[str, str]:
    """Return a hash as text; a key of another type counts as empty."""
    if not isinstance(reply, dict):
        return {}
    return {name.decode(errors="replace"): text.decode(errors="replace") for name, text in reply.items()}


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() else 0


def _first(text: str | None) -> tuple[float | None, int]:
    at, _, before = (text or "").partition(":")
    return (float(at), _number(before)) if at.isascii() and at.isdecimal() else (None, 0)
