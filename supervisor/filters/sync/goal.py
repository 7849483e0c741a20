"""What an app's filters should be, and whose the filters are that stand there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache

from traptor.supervisor.filters.composition import Composition
from traptor.supervisor.filters.language.clauses import Clause, FollowClause
from traptor.supervisor.filters.language.reading import FilterValue, read_filter


class ForeignFilters(StrEnum):
    """What is done about filters that are not ours."""

    REFUSE = "refuse"  # nothing is changed in the app, and no connection opens
    LEAVE = "leave"  # they stay
    ADOPT = "adopt"  # those that this program could have written become ours, the others stay
    REMOVE = "remove"  # they are deleted


@dataclass(frozen=True)
class Goal:
    """The wanted values, each with the group that its tag names, and what they are about."""

    collection: str
    groups: Mapping[str, str] = field(repr=False)
    policy: ForeignFilters = ForeignFilters.REFUSE
    capacity: int = 1_000  # filters that the app may have

    @classmethod
    def of(cls, composition: Composition, collection: str, policy: ForeignFilters, capacity: int) -> Goal:
        """Return what the composition asks for."""
        names: dict[
            int, str
        ] = {}  # by identity: a hash of each filter's group would take as long as the rest
        groups = {
            text: names.get(id(one[0].group)) or names.setdefault(id(one[0].group), str(one[0].group))
            for text, one in composition.by_text.items()
        }
        return cls(collection, groups, policy, capacity)

    @cached_property
    def prefix(self) -> str:
        """What the tags of our filters begin with."""
        return f"traptor/{self.collection}/"

    def owns(self, tag: str | None, value: str) -> bool:
        """Tell whether an unwanted filter is ours to delete."""
        if self.policy is ForeignFilters.REMOVE or (tag or "").startswith(self.prefix):
            return True
        return self.policy is ForeignFilters.ADOPT and read_value(value) is not None


@lru_cache(65_536)  # more than any app has filters: a smaller one would read all of them anew each time
def read_value(value: str) -> FilterValue | None:
    """Read a value; the same ones are read again and again."""
    return read_filter(value)


@lru_cache(65_536)
def subjects(value: str) -> frozenset[object]:
    """Return what a filter is about, whatever its scope and suffix; nothing where it cannot be read."""
    read = read_value(value)
    return frozenset(map(_subject, read.clauses)) if read is not None else frozenset()


def subjects_of(values: Iterable[str]) -> frozenset[object]:
    """Return what filters are about together."""
    return frozenset().union(*map(subjects, values))


def _subject(clause: Clause) -> object:
    return clause.user_id if isinstance(clause, FollowClause) else clause
