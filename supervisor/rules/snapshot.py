"""The rules of a group as they were at one time."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from operator import attrgetter

from traptor.common.rules.normalise import Found
from traptor.common.rules.rule import GroupId, Inactive, Rejected, Rule, fingerprint_of_sum


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The result of one look at a group; `rules`, `rejected` and `doubtful` are sorted by Redis key.

    `switched_off` are the keys of rules with an inactive status, `values` the distinct values of `rules`. Two
    snapshots have the same `fingerprint` when they have the same rules. `read_at` is when the look began, in
    monotonic seconds.
    """

    group: GroupId
    rules: tuple[Rule, ...] = field(repr=False)
    rejected: tuple[Rejected, ...]
    switched_off: tuple[str, ...] = field(repr=False)
    values: AbstractSet[str] = field(repr=False)
    fingerprint: str
    read_at: float
    doubtful: tuple[Rule, ...] = ()  # the `rules` with a doubt

    @property
    def inactive(self) -> int:
        """The number of rules kept in Redis but switched off."""
        return len(self.switched_off)

    @property
    def is_empty(self) -> bool:
        """True when nothing of the group was found."""
        return not (self.rules or self.rejected or self.switched_off)

    @classmethod
    def empty(cls, group: GroupId, read_at: float) -> Snapshot:
        """Return the snapshot of a group that has nothing in Redis."""
        return SnapshotBuilder(group).build(read_at)

    @classmethod
    def of(cls, group: GroupId, found: Iterable[Found], read_at: float) -> Snapshot:
        """Return the snapshot of what was found, in any order."""
        builder = SnapshotBuilder(group)
        for one in sorted(found, key=attrgetter("key")):
            builder.add(one)
        return builder.build(read_at)

    def with_rules(self, more: Iterable[Rule]) -> Snapshot:
        """Return the snapshot with additional rules; their keys must not be in this one."""
        added = tuple(more)
        return replace(
            self,
            rules=tuple(sorted((*self.rules, *added), key=attrgetter("key"))),
            values=self.values | {value for rule in added for value in rule.values},
            fingerprint=fingerprint_of_sum(int(self.fingerprint, 16) + sum(rule.digest for rule in added)),
        )


class SnapshotBuilder:
    """Collects what a look finds, a little at a time, so that no step takes long; for single use."""

    def __init__(self, group: GroupId) -> None:
        self._group = group
        self._rules: list[Rule] = []
        self._rejected: list[Rejected] = []
        self._switched_off: list[str] = []
        self._values: set[str] = set()
        self._digests = 0
        self._doubtful: list[Rule] = []

    def add(self, found: Found) -> None:
        """Add the next one; they must come sorted by Redis key."""
        match found:
            case Rule():
                self._rules.append(found)
                self._values.update(found.values)
                self._digests += found.digest
                if found.doubt:
                    self._doubtful.append(found)
            case Rejected():
                self._rejected.append(found)
            case Inactive():
                self._switched_off.append(found.key)

    def build(self, read_at: float) -> Snapshot:
        """Return the snapshot of everything added."""
        return Snapshot(
            self._group,
            tuple(self._rules),
            tuple(self._rejected),
            tuple(self._switched_off),
            self._values,
            fingerprint_of_sum(self._digests),
            read_at,
            tuple(self._doubtful),
        )
