"""Texts that an option gives to groups: to one, to all of a type, or to all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from traptor.common.rules.rule import GroupId, RuleType

_ALL = "*"


@dataclass(frozen=True)
class PerGroup:
    """Texts by group; for a group the line that names it counts, else that of its type, else that of all."""

    groups: Mapping[GroupId, str] = field(default_factory=dict)
    types: Mapping[RuleType, str] = field(default_factory=dict)
    every: str = ""

    @classmethod
    def parse(cls, rows: Iterable[tuple[str, str]]) -> PerGroup:
        """Read pairs of `type:id`, `type:*` or `*` and a text.

        Raises ValueError that gives the number of the row without repeating it.
        """
        groups: dict[GroupId, str] = {}
        types: dict[RuleType, str] = {}
        every: list[str] = []
        for number, (pattern, text) in enumerate(rows, start=1):
            try:
                named = _read(pattern)
            except ValueError:
                raise ValueError(
                    f"line {number} begins with no group; write type:id such as track:0, type:* or *"
                    " (the types are follow, track and locations)"
                ) from None
            if named in groups or named in types or (named is None and every):
                raise ValueError(f"line {number} names the same groups as an earlier one")
            if isinstance(named, GroupId):
                groups[named] = text
            elif named is not None:
                types[named] = text
            else:
                every.append(text)
        return cls(groups, types, every[0] if every else "")

    @property
    def rows(self) -> tuple[tuple[str, str], ...]:
        """The pairs that `parse` reads, in an order of their own."""
        groups = [(str(group), text) for group, text in sorted(self.groups.items())]
        types = [(f"{rule_type}:{_ALL}", text) for rule_type, text in sorted(self.types.items())]
        return (*groups, *types, *([(_ALL, self.every)] if self.every else ()))

    def of(self, group: GroupId) -> str:
        """Return the text for a group; "" when no line is about it."""
        return self.groups.get(group, self.types.get(group.type, self.every))


def _read(pattern: str) -> GroupId | RuleType | None:
    """Return the group or the type that a pattern names; None for all groups."""
    if pattern == _ALL:
        return None
    type_text, _, id_text = pattern.partition(":")
    return RuleType.parse(type_text) if id_text == _ALL else GroupId.parse(pattern)
