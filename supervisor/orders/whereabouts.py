"""Find a rule: which connection carries it, or why none does."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import Any

import orjson
import redis.asyncio

from traptor.common.redis.client import REDIS_ERRORS
from traptor.common.rules.rule import Rejected, Rule
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.rules.groups import Groups


def rules_named(context: Context, groups: Groups, name: str) -> list[dict[str, Any]]:
    """Return every rule with this `rule_id` or Redis key, and every rejected one with this key.

    `connection` is the one that carries the rule, or is to; `collected` tells whether its stream does;
    `no_filter` says why it has no filter at X, and gets none (v2).
    """
    rules = (
        rule for group in groups.all() for rule in group.rules.values() if name in (rule.key, rule.rule_id)
    )
    rejected = chain.from_iterable(group.snapshot.rejected for group in groups.all())
    return [
        *(_placed(rule, context) for rule in rules),
        *(_rejected(one) for one in (*rejected, *groups.strays) if name in (one.key, one.key.split(":")[-1])),
    ]


def unfiltered_rules(context: Context) -> dict[str, str]:
    """Return why X has no filter for a rule, and gets none, by the rule's Redis key (v2)."""
    apps = (app for c in context.connections.values() if (app := context.app_of(c)) is not None)
    return {key: why for app in apps for key, why in app.without_filter.items()}


def _placed(rule: Rule, context: Context) -> dict[str, Any]:
    connections = context.connections.values()
    carrying = next((c for c in connections if _collects(c, rule)), None)
    wanting = next((c for c in connections if c.wanted is not None and rule.key in _keys(c)), None)
    c = carrying or wanting
    app = context.app_of(c) if c is not None else None
    return {
        "rule": rule.key,
        "rule_id": rule.rule_id,
        "value": orjson.loads(rule.json).get("rule_value"),
        "group": str(rule.group),
        "connection": c.name if c is not None else None,
        "collected": carrying is not None,
        "no_filter": app.without_filter.get(rule.key) if app is not None else None,
        "rejected": None,
    }


def _collects(c: Connection, rule: Rule) -> bool:
    """Tell whether its open stream brings posts for the rule: of an app's, those in effect at X (v2)."""
    if c.app is None:
        return rule.key in c.carried
    return c.streams and c.in_effect is not None and any(one.key == rule.key for one in c.in_effect.rules)


def _keys(c: Connection) -> Iterator[str]:
    return (rule.key for rule in (c.wanted.rules if c.wanted is not None else ()))


def _rejected(one: Rejected) -> dict[str, Any]:
    return {
        "rule": one.shown_key,
        "rule_id": None,
        "value": None,
        "group": str(one.group) if one.group is not None else None,
        "connection": None,
        "collected": False,
        "no_filter": None,
        "rejected": one.reason,
    }


async def last_matches(
    client: redis.asyncio.Redis, rules: Collection[Mapping[str, Any]]
) -> dict[str, float | None] | None:
    """Return when each rule matched last, by its key; None: not in 15 minutes. None: Redis is away."""
    named = [rule for rule in rules if rule["rule_id"] is not None]
    try:
        found = {}
        for rule in named:
            key = f"stats:{rule['group']}:{rule['rule_id']}"
            found[rule["rule"]] = _latest(await client.zrevrange(key, 0, 0, withscores=True))
    except REDIS_ERRORS:
        return None
    return found


def _latest(reply: object) -> float | None:
    """Return the score of the first member of a reply; None when there is none, or it has another form."""
    match reply:
        case [_, bytes() as score, *_] | [[_, bytes() as score], *_]:
            try:
                return float(score)
            except ValueError:
                return None
    return None
