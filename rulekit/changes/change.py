"""A change of rules, group by group, with what is needed to take it back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from traptor.common.rules.rule import GroupId

Fields = Mapping[str, str]


class ChangeKind(StrEnum):
    """What happens to a rule."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One rule before and after; None: it is not there."""

    key: str
    before: Fields | None
    after: Fields | None

    @property
    def kind(self) -> ChangeKind:
        """What happens to the rule."""
        if self.before is None:
            return ChangeKind.ADDED
        return ChangeKind.REMOVED if self.after is None else ChangeKind.CHANGED


@dataclass(frozen=True, slots=True)
class GroupChange:
    """All changes of one group, by key."""

    group: GroupId
    rules: tuple[RuleChange, ...]

    def count(self, kind: ChangeKind) -> int:
        """Return how many rules the kind of change concerns."""
        return sum(one.kind is kind for one in self.rules)


def by_group(changes: Iterable[tuple[GroupId, RuleChange]]) -> tuple[GroupChange, ...]:
    """Return the changes by group; groups and rules are sorted."""
    groups: dict[GroupId, list[RuleChange]] = {}
    for group, change in changes:
        groups.setdefault(group, []).append(change)
    return tuple(
        GroupChange(group, tuple(sorted(groups[group], key=lambda one: one.key))) for group in sorted(groups)
    )


def linked(
    changes: Sequence[GroupChange], moves: Iterable[tuple[GroupId, GroupId]]
) -> list[list[GroupChange]]:
    """Return the changes in lists that are to be written in one step: groups between which rules move."""
    leader = {change.group: change.group for change in changes}

    def find(group: GroupId) -> GroupId:
        while leader[group] != group:
            group = leader[group]
        return group

    for one, other in moves:
        leader[find(one)] = find(other)
    together: dict[GroupId, list[GroupChange]] = {}
    for change in changes:
        together.setdefault(find(change.group), []).append(change)
    return list(together.values())
