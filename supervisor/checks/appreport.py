"""Print the plan of apps, and what X does otherwise than v1.1 did for the same rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from traptor.common.fills import FillMethod
from traptor.common.rules.rule import Rejected, Rule
from traptor.common.terminal import say
from traptor.common.text import counted
from traptor.supervisor.checks.appplan import AppPlan
from traptor.supervisor.filters.sync.goal import ForeignFilters

_MOST_LINES = 20
_CAPS = "daily_posts, daily_dollars, monthly_dollars"
_MOST_NAMED = 5  # rules, of each difference
_FATE = {
    ForeignFilters.REFUSE: "no connection opens while they stand there; delete them, or set foreign_filters",
    ForeignFilters.LEAVE: "they stay, and their posts are delivered and billed",
    ForeignFilters.ADOPT: "this program cannot have written them: they stay, and their posts are billed",
    ForeignFilters.REMOVE: "they are deleted",
}
_HEADINGS = ("app", "groups", "rules", "filters", "packed", "single", "free", "waiting rules")


def print_apps(console: Console, plans: Sequence[AppPlan]) -> None:
    """Print a table of the apps, a line on load and price of each, and what waits, by rule."""
    table = Table(title="Apps and their filters at X")
    for heading in _HEADINGS:
        table.add_column(
            heading, justify="left" if heading in ("app", "groups") else "right", overflow="fold"
        )
    for plan in plans:
        table.add_row(*_cells(plan))
    console.print(table)
    for plan in plans:
        say(console, f"{plan.connection}: {filters_of(plan)}.")
        say(console, f"{plan.connection}: {load_of(plan)}; {price_of(plan)}; {caps_of(plan)}.")
        for text in pair_of(plan):
            say(console, f"{plan.connection}: {text}.")
        for text in fills_of(plan):
            say(console, f"{plan.connection}: {text}.")
        if plan.trouble:
            say(
                console,
                f"warning: {plan.connection}: X does not tell which filters stand there: {plan.trouble}",
            )
        for text in foreign_of(plan):
            say(console, f"warning: {text}")
        for kind, rules in (
            ("waits", plan.composed.waiting),
            ("rejected", plan.composed.refused),
            ("doubtful", plan.doubts),
        ):
            for line in by_rule(kind, rules):
                say(console, line)


def filters_of(plan: AppPlan) -> str:
    """Return how many filters the rules take: `852 of 1,000 filters: 500 packed, 352 single`."""
    of = plan.composed
    return f"{plan.filters:,} of {plan.limits.filters:,} filters: {of.packed:,} packed, {of.single:,} single"


def load_of(plan: AppPlan) -> str:
    """Return what it takes to bring the filters into line."""
    if not plan.load.requests:
        return "its filters stand at X already"
    return (
        f"{counted(plan.load.requests, 'rule request')}, in effect after about {_duration(plan.load.seconds)}"
    )


def price_of(plan: AppPlan) -> str:
    """Return the price of 1,000 posts under the chosen fields."""
    plain, other = plan.price.plain, plan.price.with_another
    range_ = (
        f"${plain:,.2f}" if plain == other else f"${plain:,.2f} (${other:,.2f} if all repost or quote one)"
    )
    return f"1,000 posts cost {range_} with expand = {plan.expand}"


def caps_of(plan: AppPlan) -> str:
    """Return what ends the stream before it costs more, or that nothing does."""
    caps = plan.caps
    found = [
        *([] if caps.daily_posts is None else [f"{caps.daily_posts:,} posts a day"]),
        *([] if caps.daily_dollars is None else [f"${caps.daily_dollars:,.2f} a day"]),
        *([] if caps.monthly_dollars is None else [f"${caps.monthly_dollars:,.2f} a month"]),
    ]
    return f"at most {', '.join(found)}" if found else f"no cap is set ({_CAPS})"


def pair_of(plan: AppPlan) -> Iterator[str]:
    """Yield what an app with two connections does with them; nothing where it has one."""
    if len(plan.connections) > 1:
        yield f"{' and '.join(plan.connections)} carry the same filters and bring one output"


def fills_of(plan: AppPlan) -> Iterator[str]:
    """Yield what is asked for each gap, and at which price; nothing where gaps are not filled."""
    if plan.fill_method is FillMethod.RECOVERY:
        yield (
            "a gap is filled by the stream that ends it (up to five minutes), or by recovery jobs (up to 24"
            f" hours), which X grants Enterprise apps only; {price_of(plan)}, {_fill_cap(plan)}"
        )
    if plan.fills is None:
        return
    queries = len(plan.fills.queries)
    yield (
        f"a gap is filled by search: {counted(queries, 'request')} at least, one a second and 300 in 15"
        f" minutes; {price_of(plan)}, {_fill_cap(plan)}; searches for words find no reposts"
    )
    for missed in plan.fills.missed:
        yield f"not filled: {missed}"


def _fills(plan: AppPlan) -> dict[str, Any] | None:
    if plan.fill_method is None:
        return None
    asked: dict[str, Any] = {}
    if plan.fills is not None:
        asked = {"queries": len(plan.fills.queries), "missed": list(plan.fills.missed)}
    return {"method": plan.fill_method, **asked, "daily_dollars": plan.fill_dollars}


def _fill_cap(plan: AppPlan) -> str:
    if plan.fill_dollars is None:
        return "without a cap of its own"
    return f"${plan.fill_dollars:,.2f} a day at most"


def foreign_of(plan: AppPlan) -> Iterator[str]:
    """Yield a line for each filter of others."""
    fate = _FATE[plan.limits.policy]
    for one in plan.foreign[:_MOST_LINES]:
        yield f"{plan.connection}: a filter of others stands there: {one.value!r}: {fate}"
    if len(plan.foreign) > _MOST_LINES:
        yield f"{plan.connection}: and {len(plan.foreign) - _MOST_LINES:,} more filters of others"


def differences_of(plans: Sequence[AppPlan]) -> Iterator[str]:
    """Yield in plain words what v2 does otherwise than v1.1 for these very rules."""
    yield "v2: deletions and withheld notices do not come at all; every post that comes costs money."
    for plan in plans:
        for one, rules in sorted(plan.differences.items(), key=lambda item: not item[0].is_loss):
            kind = "lost" if one.is_loss else "added"
            yield (
                f"v2: {kind} for {counted(len(rules), 'rule')} of {plan.connection}: {one.text}."
                f" {_named(rules)}"
            )


def _named(rules: Sequence[Rule]) -> str:
    """Return the first of these rules by their keys, and how many more there are."""
    first = ", ".join(rule.shown_key for rule in rules[:_MOST_NAMED])
    if len(rules) <= _MOST_NAMED:
        return f"By key: {first}"
    return f"By key: {first}, and {len(rules) - _MOST_NAMED:,} more (--plan --json names all)"


def as_json(plan: AppPlan) -> dict[str, Any]:
    """Return the plan of an app for programs."""
    return {
        "connection": plan.connection,
        "connections": plan.connections,
        "key": plan.key.name,
        "groups": [str(group.group) for group in plan.groups],
        "rules": plan.rules,
        "values": plan.values,
        "filters": plan.filters,
        "filters_allowed": plan.limits.filters,
        "packed": plan.composed.packed,
        "single": plan.composed.single,
        "free": plan.free,
        "waiting": [_rule(rule) for rule in plan.composed.waiting],
        "rejected": [_rule(rule) for rule in plan.composed.refused],
        "foreign": [{"id": one.id, "value": one.value, "tag": one.tag} for one in plan.foreign],
        "rule_requests": plan.load.requests,
        "load_seconds": plan.load.seconds,
        "expand": plan.expand,
        "dollars_per_1000_posts": {"plain": plan.price.plain, "with_another": plan.price.with_another},
        "fills": _fills(plan),
        "differences": {one.name.lower(): len(rules) for one, rules in plan.differences.items()},
        "differing_rules": {
            one.name.lower(): [rule.key for rule in rules] for one, rules in plan.differences.items()
        },
        "trouble": plan.trouble or None,
    }


def by_rule(kind: str, rules: Sequence[Rejected]) -> Iterator[str]:
    """Yield a line for each rule, and one for those beyond the first twenty."""
    for rule in rules[:_MOST_LINES]:
        yield f"{kind}: {rule.shown_key}: {rule.reason}"
    if len(rules) > _MOST_LINES:
        yield f"{kind}: and {len(rules) - _MOST_LINES:,} more rules (--plan --json names all)"


def _rule(rule: Rejected) -> dict[str, str]:
    return {"key": rule.key, "reason": rule.reason}


def _cells(plan: AppPlan) -> list[str]:
    numbers = (plan.rules, plan.filters, plan.composed.packed, plan.composed.single, plan.free)
    groups = ", ".join(str(group.group) for group in plan.groups)
    return [
        plan.connection,
        groups,
        *(f"{number:,}" for number in numbers),
        f"{len(plan.composed.waiting):,}",
    ]


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
