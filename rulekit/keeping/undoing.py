"""Work out how the last change of a group is taken back, in all groups that its command changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import redis

from traptor.common.errors import TraptorError
from traptor.common.rules.rule import GroupId
from traptor.common.text import counted
from traptor.rulekit.changes.change import Fields, RuleChange, by_group, linked
from traptor.rulekit.keeping.changing import Steps
from traptor.rulekit.keeping.history import HistoryEntry, entry_of, is_trimmed, read_history, taken_back


class CannotUndo(TraptorError):
    """The last change cannot be taken back as it is."""


def undo(client: redis.Redis, group: GroupId, present: Mapping[str, Fields], force: bool) -> Steps:
    """Return the groups to write, `group` in the last step; `present` are the rules of its type by key.

    If writing is interrupted, the last change of `group` is still the same, and what was written by then is
    as it was before that: the same can be done again.

    Raises CannotUndo, without `force` also where a rule was changed again since, and RedisUnavailable.
    """
    edits: list[tuple[GroupId, RuleChange]] = []
    moves: list[tuple[GroupId, GroupId]] = []
    for entry in _entries(client, group, force):
        changes, touched = taken_back(entry, present)
        if touched and not force:
            raise CannotUndo(
                f"{counted(len(touched), 'rule')} of {entry.group} changed again since, such as {touched[0]};"
                " nothing was changed: --force takes the change back all the same"
            )
        edits += [(entry.group, change) for change in changes]
        moves += [(entry.group, other) for other in entry.together]
    changed = {group for group, _ in edits}
    steps = linked(by_group(edits), [move for move in moves if changed.issuperset(move)])
    return sorted(steps, key=lambda step: any(change.group == group for change in step))


def _entries(client: redis.Redis, group: GroupId, force: bool) -> Iterator[HistoryEntry]:
    """Yield what the command that changed the group last did to each of its groups."""
    last = next(iter(read_history(client, group, 1)), None)
    if last is None:
        raise CannotUndo(f"{group} has no history: only changes made by these commands can be taken back")
    for other in last.groups:
        entry = last if other == group else entry_of(client, other, last.change)
        if entry is not None:
            yield entry
        elif not force and is_trimmed(client, other):  # else the command was interrupted before it came here
            raise CannotUndo(
                f"what the last change of {group} did to {other} has left the history of {other}; nothing was"
                " changed: --force takes the rest of the change back"
            )
