"""Names of what is kept in Redis beside the rules of a group."""

from __future__ import annotations

from traptor.common.rules.rule import GroupId

_REVISION = "traptor:rev:"


def revision_key(group: GroupId) -> str:
    """Return the key of a number that counts up in the step that writes the group's rules."""
    return f"{_REVISION}{group}"
