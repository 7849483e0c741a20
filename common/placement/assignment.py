"""The part where each rule of a group belongs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Values = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """The part of each rule; `members` is the inverse, `values` what the rules had at that time.

    `is_settled`: no rule streamed outside its part, so that the same rules give the same assignment.
    """

    limit: int
    parts: Mapping[str, int] = field(default_factory=dict, repr=False)  # rule key -> part
    values: Mapping[str, Values] = field(default_factory=dict, repr=False)  # rule key -> its values
    members: Mapping[int, frozenset[str]] = field(default_factory=dict, repr=False)
    is_settled: bool = True

    @classmethod
    def of(
        cls, limit: int, parts: Mapping[str, int], values: Mapping[str, Values], *, settled: bool
    ) -> Assignment:
        """Return the assignment with these parts."""
        members: dict[int, list[str]] = {}
        for key, part in parts.items():
            members.setdefault(part, []).append(key)
        by_part = {part: frozenset(members[part]) for part in sorted(members)}
        return cls(limit, parts, values, by_part, settled)

    def distinct(self, keys: Iterable[str]) -> int:
        """Return the number of distinct values of these rules together."""
        return len({value for key in keys for value in self.values[key]})
