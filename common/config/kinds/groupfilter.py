"""Select the groups that a host serves."""

from __future__ import annotations

from dataclasses import dataclass

from traptor.common.rules.rule import GroupId, RuleType

_ALL = "*"


@dataclass(frozen=True, slots=True)
class GroupFilter:
    """All groups of certain types, and groups listed by name; a listed group exists even when it is empty."""

    types: frozenset[RuleType] = frozenset(RuleType)
    named: frozenset[GroupId] = frozenset()

    @classmethod
    def parse(cls, items: tuple[str, ...]) -> GroupFilter:
        """Read `type:id`, `type:*` and `*`.

        Raises ValueError that gives the number of the item without repeating it.
        """
        types: set[RuleType] = set()
        named: set[GroupId] = set()
        for number, item in enumerate(items, start=1):
            try:
                whole_types, group = _read(item)
            except ValueError:
                raise ValueError(
                    f"item {number} names no group; write type:id such as track:0, type:* or *"
                    " (the types are follow, track and locations)"
                ) from None
            types |= whole_types
            named |= group
        return cls(frozenset(types), frozenset(named))

    def serves(self, group: GroupId) -> bool:
        """Tell whether this host serves the group."""
        return group.type in self.types or group in self.named

    def __str__(self) -> str:
        if self.types == frozenset(RuleType):
            types = [_ALL]
        else:
            types = [f"{rule_type}:{_ALL}" for rule_type in sorted(self.types)]
        return ", ".join([*types, *map(str, sorted(self.named))])


def _read(item: str) -> tuple[set[RuleType], set[GroupId]]:
    if item == _ALL:
        return set(RuleType), set()
    type_text, _, id_text = item.partition(":")
    if id_text == _ALL:
        return {RuleType.parse(type_text)}, set()
    return set(), {GroupId.parse(item)}
