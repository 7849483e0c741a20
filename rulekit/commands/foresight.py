"""What a change of rules makes of this host's connections, of its apps, and of what they cost."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field

import click
import redis

from traptor.common.errors import ConfigError
from traptor.common.rules.rule import RuleType
from traptor.common.terminal import report_console
from traptor.common.text import counted
from traptor.rulekit.changes.change import ChangeKind, Fields, GroupChange
from traptor.rulekit.changes.effects import (
    Effect,
    changed_holdings,
    count_connections,
    effects,
    streamed,
)
from traptor.rulekit.changes.holdings import Holdings
from traptor.rulekit.commands.parts.changing import read_shown
from traptor.rulekit.commands.parts.kit import Kit
from traptor.rulekit.commands.parts.seams import AppOutlook, Groups, Seams
from traptor.rulekit.commands.parts.tables import table
from traptor.rulekit.figures.reading import read_figures
from traptor.rulekit.keeping.changing import Steps, WorkOut

_V2 = "v2"


@dataclass(frozen=True, slots=True)
class KnownCost:
    """Matches of the last day, as workers counted them: of all rules, and of those that go.

    `unknown` counts rules that are new or get another value: only X could tell what they bring.
    """

    matches: int
    leaving: int
    unknown: int

    def sentence(self, post_price: float) -> str:
        """Return it for people. A post that several rules found counts for each."""
        stay = self.matches - self.leaving
        return (
            f"the rules matched {counted(self.matches, 'post')} in the last day, up to"
            f" ${self.matches * post_price:,.2f}; those that stay as they are {stay:,}, up to"
            f" ${stay * post_price:,.2f}. {counted(self.unknown, 'rule')} new or with another value:"
            " `rules price` asks X what they bring"
        )


@dataclass
class Foresight:
    """Works out what becomes of all groups that this host serves when a change is made."""

    kit: Kit
    seams: Seams
    work_out: WorkOut
    changes: list[GroupChange] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    counts: tuple[int, int] = (0, 0)  # connections of all groups, before and after; with API v1.1
    apps: list[AppOutlook] = field(default_factory=list)
    cost: KnownCost | None = None

    def steps(self, client: redis.Redis, holdings: Holdings) -> Steps:
        """Return the steps of the change, and keep what they do."""
        steps = self.work_out(client, holdings)
        self.changes = [change for step in steps for change in step]
        if not self.changes:
            return steps
        kit, limits = self.kit, self.kit.limits
        changed = [change.group for change in self.changes]
        types = {group.type for group in changed}
        others = [rule for one in RuleType if one not in types for rule in read_shown(client, one).rules]
        before = streamed(Holdings((*holdings.rules, *others)), kit.honour_status, limits)
        after = {group: rules for group, rules in before.items() if group not in changed}
        after |= streamed(changed_holdings(holdings, self.changes).of(changed), kit.honour_status, limits)
        if kit.traptor.api == _V2:
            self._foresee_apps(client, self._served(before), self._served(after))
        else:
            self._foresee_connections(self._served(before), self._served(after))
        return steps

    def _foresee_connections(self, before: Groups, after: Groups) -> None:
        limits, changed = self.kit.limits, {change.group for change in self.changes}
        self.effects = effects(
            {group: rules for group, rules in before.items() if group in changed},
            {group: rules for group, rules in after.items() if group in changed},
            limits,
        )
        self.counts = (count_connections(before, limits), count_connections(after, limits))

    def _served(self, groups: Groups) -> Groups:
        served = self.kit.traptor.groups
        return {group: rules for group, rules in groups.items() if served.serves(group)}

    def _foresee_apps(self, client: redis.Redis, before: Groups, after: Groups) -> None:
        figures = read_figures(client, sorted(before), time.time())
        leaving = [
            f"{change.group}:{(one.before or {}).get('rule_id', '')}"
            for change in self.changes
            for one in change.rules
            if one.before is not None and not _same_value(one.before, one.after)
        ]
        self.cost = KnownCost(
            matches=sum(one.a_day for one in figures.values()),
            leaving=sum(figures[name].a_day for name in leaving if name in figures),
            unknown=sum(
                one.kind is not ChangeKind.REMOVED and not _same_value(one.before or {}, one.after)
                for change in self.changes
                for one in change.rules
            ),
        )
        if self.seams.apps is not None:
            self.apps = list(self.seams.apps(self.kit.settings, before, after))
            self.effects = [app.effect for app in self.apps]

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "groups": [str(change.group) for change in self.changes],
            "connections": [asdict(effect) for effect in self.effects],
            "connections_before": self.counts[0] if self.kit.traptor.api != _V2 else None,
            "connections_after": self.counts[1] if self.kit.traptor.api != _V2 else None,
            "keys": self._keys,
            "apps": [
                {name: value for name, value in asdict(app).items() if name not in ("effect", "lines")}
                | {"connection": app.effect.connection}
                for app in self.apps
            ],
            "filters": [line for app in self.apps for line in app.lines],
            "cost": None if self.cost is None else asdict(self.cost),
        }

    def show(self) -> None:
        """Print it for people."""
        if not self.changes:
            click.echo("nothing changes")
            return
        rows = [(one.connection, one.act, one.before, one.after) for one in self.effects]
        heads = ("connection", "what happens", "values", "values then")
        report_console().print(table(heads, rows, heads[2:]))
        if self.kit.traptor.api != _V2:
            click.echo(f"{self._of_connections()} With API v1.1 it costs nothing.")
        for line in (line for app in self.apps for line in app.lines):
            click.echo(line)
        if self.cost is not None:
            click.echo(self.cost.sentence(self.kit.twitter.post_price))

    def _of_connections(self) -> str:
        now, then = self.counts
        text = f"{counted(now, 'connection')} now, {then} then, of all groups; each needs a key"
        if self._keys is None:
            return f"{text}."
        waiting = max(0, then - self._keys)
        wait = f": {counted(waiting, 'connection')} would wait" if waiting else ""
        return f"{text}, and the pool has {self._keys}{wait}."

    @property
    def _keys(self) -> int | None:
        """The connections that the pool's keys allow; None for somebody who may not read it."""
        try:
            return sum(key.max_connections for key in self.kit.settings.keys)
        except ConfigError:
            return None


def _same_value(before: Fields, after: Fields | None) -> bool:
    return after is not None and before.get("value") == after.get("value")
