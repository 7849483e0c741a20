"""Refuse a change whose hint would confirm that rules are gone which Redis lost.

A supervisor streams on with the rules that it knows when Redis loses all of a group without a hint. The hint
of any change of that group is taken for the word of its owner: the lost rules would end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import redis

from traptor.common.errors import TraptorError
from traptor.common.rules.rule import GroupId
from traptor.common.text import counted
from traptor.rulekit.changes.change import ChangeKind, GroupChange
from traptor.rulekit.changes.holdings import Holdings
from traptor.rulekit.keeping.changing import Steps
from traptor.rulekit.keeping.history import read_history
from traptor.rulekit.keeping.reading import revisions_of


class RulesLost(TraptorError):
    """Redis lost the rules of a group that is to be changed, and nobody said that they may go."""


@dataclass(frozen=True, slots=True)
class LiveGroup:
    """What a running supervisor knows of a group: how many rules stream, and whether Redis lost them."""

    rules: int
    suspect: bool


LiveGroups = Mapping[GroupId, LiveGroup]


def live_groups(told: Iterable[Mapping[str, Any]]) -> LiveGroups:
    """Read the member `groups` of a supervisor's status."""
    return {GroupId.parse(one["group"]): LiveGroup(one["rules"], one["suspect"]) for one in told}


def check_losses(
    client: redis.Redis, holdings: Holdings, steps: Steps, live: LiveGroups | None, all_the_same: str
) -> None:
    """Compare with what a supervisor knows; without one (None) with the history.

    `all_the_same` tells how the group is changed all the same; "" where that cannot be asked for.
    Raises RulesLost where a group that Redis lost would be changed without getting its rules back, and
    RedisUnavailable.
    """
    there = holdings.counts()
    changes = [change for step in steps for change in step]
    if live is None:
        for change in changes:
            if not there[change.group]:
                _check_history(client, change, all_the_same)
        return
    smaller = {
        change.group: known
        for change in changes
        if (known := live.get(change.group)) and known.rules > _count_after(change, there)
    }
    revisions = revisions_of(client, sorted(smaller))
    for group, known in smaller.items():
        # A group that was emptied on purpose keeps its revision.
        if known.suspect or (not there[group] and revisions[group] is None):
            raise RulesLost(
                f"a supervisor streams on with {counted(known.rules, 'rule')} of {group} that Redis has lost,"
                " and a change of the group would end that; nothing was changed. Load the rules back"
                f" (`rules load`), or let them go (`traptorctl reload --accept-empty`){_last(all_the_same)}"
            )


def _count_after(change: GroupChange, there: Counter[GroupId]) -> int:
    return there[change.group] + change.count(ChangeKind.ADDED) - change.count(ChangeKind.REMOVED)


def _last(all_the_same: str) -> str:
    return f"; {all_the_same}" if all_the_same else ""


def _check_history(client: redis.Redis, change: GroupChange, all_the_same: str) -> None:
    """Raise RulesLost where the last change left rules that are gone, and that do not return now."""
    for last in read_history(client, change.group, 1):
        left = {past.key for past in last.rules if past.after_digest is not None}
        returning = {rule.key for rule in change.rules if rule.after is not None}
        if left - returning:
            raise RulesLost(
                f"Redis has no rule of {change.group}, but {counted(len(left), 'rule')} after the last change"
                f" ({last.at:%Y-%m-%d %H:%M} UTC, by {last.by}). A supervisor may stream on with them, and a"
                " change of the group would end that; nothing was changed. Load the rules back"
                f" (`rules load`){_last(all_the_same)}"
            )
