"""Compute what each app at X would carry under v2, what a first load takes, and what posts cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from traptor.common.config.keys.key import ApiKey
from traptor.common.config.kinds.v2 import V2
from traptor.common.config.settings import Settings
from traptor.common.fills import FillMethod
from traptor.common.rules.rule import GroupId, Rejected, Rule
from traptor.supervisor.apps.configured import app_limits, terms, wording
from traptor.supervisor.apps.wanted.composed import AppLimits, Composed, composed
from traptor.supervisor.apps.wanted.translated import Translated, translated
from traptor.supervisor.checks.plan import PlannedConnection, RulesFound
from traptor.supervisor.checks.xlook import XLook, look_at_apps
from traptor.supervisor.fills.choice import fill_method
from traptor.supervisor.fills.pieces.queries import Plan, plan_of
from traptor.supervisor.filters.language.differences import Difference
from traptor.supervisor.filters.sync.budget import RequestLimits
from traptor.supervisor.filters.sync.difference import difference
from traptor.supervisor.filters.sync.standing import EFFECT_S, Standing
from traptor.supervisor.filters.sync.steps import BATCH
from traptor.supervisor.money.caps import Caps
from traptor.supervisor.money.reads import Expand, PriceOf1000, price_of_1000
from traptor.supervisor.rules.snapshot import Snapshot
from traptor.supervisor.workers.leftovers import app_connection, app_connections
from traptor.supervisor.xapi.answers import ListedFilter

_REQUEST_S = 1.0  # an answer of X takes less


@dataclass(frozen=True, slots=True)
class Load:
    """The requests that bring an app's filters into line, and how long that takes."""

    requests: int
    seconds: float

    @classmethod
    def of(cls, adds: int, deletes: int) -> Load:
        """Return the load of so many filters to add and to delete."""
        requests = math.ceil(adds / BATCH) + math.ceil(deletes / BATCH)
        limits = RequestLimits()
        windows = max(0, requests - 1) // limits.changes
        waits_s = EFFECT_S if requests else 0.0
        return cls(requests, windows * limits.window_s + requests * _REQUEST_S + waits_s)


@dataclass(frozen=True)
class AppPlan:
    """One app's part of the plan."""

    key: ApiKey
    limits: AppLimits
    groups: tuple[Translated, ...] = field(repr=False)
    composed: Composed
    foreign: tuple[ListedFilter, ...]
    load: Load
    expand: Expand
    price: PriceOf1000
    caps: Caps
    trouble: str = ""  # why X does not tell which filters stand there
    fill_method: FillMethod | None = None  # None: gaps are not filled
    fills: Plan | None = None  # what is searched for each gap, if that is the method
    fill_dollars: float | None = None  # at most for that on a day

    @property
    def connection(self) -> str:
        """The name of its connection."""
        return app_connection(self.key.name)

    @property
    def connections(self) -> list[str]:
        """The names of all its connections: this one, or the two that bring one output."""
        return app_connections(self.key.name, self.key.max_connections)

    @property
    def rules(self) -> int:
        """The number of rules of its groups that X's language can express."""
        return sum(len(group.rules) for group in self.groups)

    @property
    def rules_in_redis(self) -> int:
        """The number of rules that its connection has, whether or not X's language can express them."""
        return sum(len(group.rules) + len(group.refused) for group in self.groups)

    @property
    def values(self) -> int:
        """The number of their distinct values."""
        return sum(len(group.clauses) for group in self.groups)

    @property
    def filters(self) -> int:
        """The number of filters that the rules take."""
        return len(self.composed.composition.by_text)

    @property
    def free(self) -> int:
        """The number of filters that are left, of which some stay free for changes."""
        return max(0, self.limits.filters - self.filters - len(self.foreign))

    @property
    def doubts(self) -> tuple[Rejected, ...]:
        """The rules that are not taken exactly as written."""
        return tuple(doubt for group in self.groups for doubt in group.doubts)

    @property
    def differences(self) -> Mapping[Difference, tuple[Rule, ...]]:
        """The rules, refused ones aside, that find less or more than under v1.1, by difference."""
        refused = {one.key for one in self.composed.refused}
        rules: dict[Difference, list[Rule]] = {one: [] for one in Difference}
        for group in self.groups:
            for one, found in group.differences.items():
                rules[one] += [rule for rule in found if rule.key not in refused]
        return {one: tuple(found) for one, found in rules.items() if found}


def app_plans(
    settings: Settings, snapshots: Mapping[GroupId, Snapshot], looks: Mapping[str, XLook]
) -> tuple[AppPlan, ...]:
    """Return the plan of each key's app, by name; `looks` by key_id are what X told."""
    keys = sorted(settings.keys, key=lambda key: key.name)
    return tuple(_app_plan(settings, key, snapshots, looks.get(key.key_id, XLook())) for key in keys)


def _app_plan(settings: Settings, key: ApiKey, snapshots: Mapping[GroupId, Snapshot], look: XLook) -> AppPlan:
    groups = tuple(
        translated(snapshot, wording(settings, group))
        for group, snapshot in sorted(snapshots.items())
        if key.groups is None or key.groups.serves(group)
    )
    limits = app_limits(settings)
    standing = Standing(refused=look.refused).listed(look.filters or (), 0.0)
    found = composed(groups, limits, standing, 0.0)
    changes = difference(standing, found.goal, 0.0)
    expand, method = Expand(settings.traptor.expand), fill_method(settings)
    return AppPlan(
        key=key,
        limits=limits,
        groups=groups,
        composed=found,
        foreign=changes.foreign,
        load=Load.of(len(changes.missing), len(changes.surplus)),
        expand=expand,
        price=price_of_1000(terms(settings).prices, expand),
        caps=terms(settings).caps,
        trouble=look.trouble,
        fill_method=method,
        fills=plan_of(groups, lambda _rule: True) if method is FillMethod.SEARCH else None,
        fill_dollars=settings.twitter.fill_daily_dollars,
    )


async def plans_of_apps(settings: Settings, look: RulesFound) -> tuple[AppPlan, ...]:
    """Return the plans, after asking X which filters stand in the apps; none under v1.1."""
    if settings.traptor.api != V2:
        return ()
    return app_plans(settings, look.snapshots, await look_at_apps(settings))


def planned_apps(plans: Sequence[AppPlan]) -> tuple[PlannedConnection, ...]:
    """Return the rows of the plan: each connection of each app."""
    return tuple(
        PlannedConnection(name, plan.rules_in_redis, plan.values, plan.key.name, plan.key.source_address)
        for plan in plans
        for name in plan.connections
    )
