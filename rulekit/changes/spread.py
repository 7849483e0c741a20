"""Spread rules over the ids of a type: as few as their limit allows, and no rule moves without need."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import count

from traptor.common.placement.packing import Packing
from traptor.common.rules.rule import GroupId, RuleType
from traptor.rulekit.changes.holdings import Values


def is_numbered(group: GroupId) -> bool:
    """Tell whether the id is a whole number; a group with a name belongs to whoever named it."""
    return group.id.isdecimal() and (group.id == "0" or not group.id.startswith("0"))


class Spread:
    """The numbered groups of a type while rules are placed in them; `limit` counts distinct values."""

    def __init__(self, rule_type: RuleType, limit: int, groups: Iterable[GroupId]) -> None:
        self._type = rule_type
        self._packing = Packing(limit)
        numbered = [group for group in groups if is_numbered(group)]
        self._groups = sorted(numbered, key=lambda group: int(group.id))
        self._parts = {group: part for part, group in enumerate(self._groups, start=1)}

    def fill(self, group: GroupId, rules: Collection[Values]) -> None:
        """Add all the rules that a group has; only once for each."""
        self._packing.fill(self._parts[group], rules)

    def remove(self, group: GroupId, values: Values) -> None:
        """Take a rule out of its group."""
        part = self._parts[group]
        self._packing.remove(part, values)
        self._packing.disown(part)

    def change(self, group: GroupId, old: Values, new: Values) -> bool:
        """Give a rule other values and return True, or take it out where they exceed the limit."""
        part = self._parts[group]
        was_over = self._packing.is_over(part)
        self._packing.remove(part, old)
        self._packing.add(part, new)
        if was_over or not self._packing.is_over(part):
            return True
        self.remove(group, new)
        return False

    def place(self, values: Values) -> GroupId:
        """Add a rule where it fits, to a group that has some of its values if there is one."""
        packing = self._packing
        part = packing.find_used(values) or packing.find_free(values)
        packing.add(part, values)
        packing.own(part)
        while part > len(self._groups):
            self._open_group()
        return self._groups[part - 1]

    def _open_group(self) -> None:
        taken = set(self._groups)
        new = next(group for number in count() if (group := GroupId(self._type, str(number))) not in taken)
        self._groups.append(new)
        self._parts[new] = len(self._groups)
