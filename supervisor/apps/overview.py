"""An app as status.json, the control socket and the terminal show it: plain JSON values without a secret."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from traptor.common.rules.rule import GroupId, Rejected
from traptor.supervisor.apps.app import App
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.money.account import Account
from traptor.supervisor.money.caps import spent
from traptor.supervisor.money.reads import (
    Expand,
    Prices,
    Reads,
    observed_price_of_1000,
    price_of_1000,
)

_MOST_LISTED = 20


def overview(app: App, expand: Expand, now: Instant) -> dict[str, Any]:
    """Return the state of one app; times are Unix seconds."""

    def wall(mono: float | None) -> float | None:
        return None if mono is None else round(now.wall + mono - now.mono, 3)

    hold = app.hold()
    in_effect = 0 if app.in_effect is None else len(app.in_effect.rules)
    return {
        "key": app.key.name,
        "key_id": app.key.key_id,
        "hold": None if hold is None else hold.kind,
        "hold_why": None if hold is None else hold.text,
        "hold_until": None if hold is None else hold.until,
        "rules": app.filtering.rules_valid,
        "rules_in_effect": in_effect,
        "pending": max(0, app.filtering.rules_valid - in_effect - len(app.composed.without_filter)),
        "waiting": len(app.composed.waiting),
        "waiting_first": _rules(app.composed.waiting),
        "rejected": len(app.composed.refused),
        "rejected_first": _rules(app.composed.refused),
        "rejected_by_type": _by_type(app.composed.refused_by_group),
        "mostly_rejected": [str(group) for group in app.composed.mostly_refused[:_MOST_LISTED]],
        "filters": _filters(app, now),
        "sync": {
            "again_at": wall(app.filtering.again_at),
            "trouble": None if app.filtering.trouble is None else str(app.filtering.trouble),
        },
        **_money(app, expand, now),
    }


def _filters(app: App, now: Instant) -> dict[str, Any]:
    standing, allowed = app.filtering.standing, app.settings.limits.filters
    strange = standing.strange(now.mono)
    foreign = app.filtering.outcome.difference.foreign if app.filtering.outcome is not None else ()
    return {
        "allowed": allowed,
        "wanted": len(app.composed.goal.groups),
        "single": app.composed.single,
        "packed": app.composed.packed,
        "standing": len(standing.filters),
        "in_effect": len(standing.filters) - len(standing.pending(now.mono)),
        "free": max(0, allowed - len(standing.filters)),
        "foreign": len(foreign),
        "foreign_first": [one.value for one in foreign[:_MOST_LISTED]],
        "foreign_policy": app.settings.limits.policy,
        "strange": len(strange),
        "strange_first": [one.value for one in strange[:_MOST_LISTED]],
    }


def _money(app: App, expand: Expand, now: Instant) -> dict[str, Any]:
    terms = app.spending.terms
    account: Account = app.spending.account.at(now.wall)
    price = price_of_1000(terms.prices, expand)
    usage = app.usage.last
    return {
        "today": {"from": account.day.isoformat(), **_reads(account.today, terms.prices)},
        "month": {"from": account.month_from.isoformat(), **_reads(account.month, terms.prices)},
        "caps": [
            {
                "cap": one.kind,
                "used": round(one.used, 4),
                "of": one.cap,
                "percent": round(one.percent, 1),
                "until": one.ends_at,
            }
            for one in spent(account, terms.caps, terms.prices)
        ],
        "dollars_per_1000_posts": {
            "plain": price.plain,
            "with_another": price.with_another,
            "observed": observed_price_of_1000(terms.prices, account.today),
        },
        "usage": None
        if usage is None
        else {
            "at": app.usage.at,
            "posts": usage.project_usage,
            "cap": usage.project_cap,
            "counted_here": app.usage.ours,
        },
    }


def _reads(reads: Reads, prices: Prices) -> dict[str, Any]:
    return {
        "posts": reads.posts,
        "included_posts": reads.included_posts,
        "included_users": reads.included_users,
        "foreign": reads.foreign,
        "foreign_dollars": round(reads.foreign * prices.post, 4),
        "dollars": round(reads.dollars(prices), 4),
    }


def _by_type(by_group: Mapping[GroupId, int]) -> dict[str, int]:
    found = Counter[str]()
    for group, number in by_group.items():
        found[str(group.type)] += number
    return dict(found)


def _rules(rules: Sequence[Rejected]) -> list[dict[str, str]]:
    return [{"key": rule.key, "reason": rule.reason} for rule in rules[:_MOST_LISTED]]
