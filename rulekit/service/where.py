"""Read which rules a request is about."""

from __future__ import annotations

from traptor.common.rules.rule import GroupId, RuleType


def read_where(text: str) -> tuple[list[RuleType], GroupId | None]:
    """Return the types, and the group if one is named; all types for no text. Raises ValueError."""
    if not text:
        return list(RuleType), None
    if ":" not in text:
        return [RuleType.parse(text)], None
    group = GroupId.parse(text)
    return [group.type], group
