"""Make a change: read what stands, work the change out, show it, write it under the lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import click
import redis

from traptor.common.rules.rule import GroupId, RuleType
from traptor.common.text import counted
from traptor.rulekit.changes.change import ChangeKind, GroupChange
from traptor.rulekit.changes.holdings import Holdings
from traptor.rulekit.commands.parts.given import progress_bar
from traptor.rulekit.commands.parts.kit import Kit, say, say_json, who_asks
from traptor.rulekit.commands.parts.seams import seams_of
from traptor.rulekit.keeping.changing import Hearing, Steps, WorkOut, apply_change
from traptor.rulekit.keeping.history import Signature
from traptor.rulekit.keeping.losses import check_losses
from traptor.rulekit.keeping.reading import read_holdings

_SHOWN = 20

_ALL_THE_SAME = "`traptorctl rules` with --force changes the group all the same"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a change is made: `command` describes it in the history.

    `force`: also where Redis lost the rules of a group, so that its hint would end them.
    """

    command: str
    wait_s: float = 0.0
    dry_run: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command did, or would do."""

    steps: Steps
    dry_run: bool
    more: Mapping[str, object] = field(default_factory=dict)

    @property
    def changes(self) -> list[GroupChange]:
        """The changes of all groups."""
        return sorted((one for step in self.steps for one in step), key=lambda one: one.group)

    def show(self, as_json: bool) -> None:
        """Print it."""
        if as_json:
            say_json(self.as_json())
            return
        verb = "would change" if self.dry_run else "changed"
        for change in self.changes:
            counts = ", ".join(f"{change.count(kind)} {kind}" for kind in ChangeKind if change.count(kind))
            print(f"{change.group}: {counts}")  # noqa: T201 - the answer
        if not self.changes:
            print("nothing changes, and nothing is published")  # noqa: T201 - the answer
        else:
            total = sum(len(change.rules) for change in self.changes)
            say(f"{verb} {counted(total, 'rule')} in {counted(len(self.changes), 'group')}")

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "dry_run": self.dry_run,
            **{str(kind): sum(one.count(kind) for one in self.changes) for kind in ChangeKind},
            "groups": [
                {"group": str(one.group), **{str(kind): one.count(kind) for kind in ChangeKind}}
                for one in self.changes
            ],
            **self.more,
        }


def make_change(
    kit: Kit,
    rule_type: RuleType,
    manner: Manner,
    work_out: WorkOut,
) -> Steps:
    """Work a change out on what stands in Redis, and write it unless it is a dry run.

    Raises RedisUnavailable, LockedByAnother, ChangedMeanwhile, LoadInterrupted, RulesLost, and what
    `work_out` raises.
    """
    live = seams_of(click.get_current_context()).live

    def work_out_safely(client: redis.Redis, holdings: Holdings) -> Steps:
        steps = work_out(client, holdings)
        if steps and not manner.force:
            check_losses(client, holdings, steps, live() if live is not None else None, _ALL_THE_SAME)
        return steps

    with kit.redis() as client:
        if manner.dry_run:
            return work_out(client, read_shown(client, rule_type))
        signature = Signature(who_asks(), manner.command)
        channel = kit.redis_options.channel
        with progress_bar("reading Redis, then writing") as show:
            hearing = Hearing(say, show, show)
            return apply_change(
                client, channel, rule_type, signature, manner.wait_s, work_out_safely, hearing
            )


def read_shown(client: redis.Redis, rule_type: RuleType, group: GroupId | None = None) -> Holdings:
    """Read rules with a progress bar. Raises RedisUnavailable."""
    with progress_bar("reading Redis") as show:
        return read_holdings(client, rule_type, group, show)


def list_changes(changes: Sequence[GroupChange], most: int = _SHOWN) -> list[str]:
    """Return a line for each rule that changes, as a diff shows it; at most `most` of a group."""
    lines = []
    signs = {ChangeKind.ADDED: "+", ChangeKind.CHANGED: "~", ChangeKind.REMOVED: "-"}
    for change in changes:
        for one in change.rules[:most]:
            before, after = one.before or {}, one.after or {}
            differing = {name for name in {*before, *after} if before.get(name) != after.get(name)}
            what = (after or before).get("value", "")
            if one.kind is ChangeKind.CHANGED:
                what = "; ".join(
                    f"{name}: {before.get(name, '(none)')} -> {after.get(name, '(none)')}"
                    for name in sorted(differing)
                )
            lines.append(f"{signs[one.kind]} {one.key}  {what}")
        if len(change.rules) > most:
            lines.append(f"  ... and {len(change.rules) - most} more in {change.group}")
    return lines
