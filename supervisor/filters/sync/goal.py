"""What an app's filters should be, and whose the filters are that stand there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache
from itertools import groupby
from operator import attrgetter

from traptor.supervisor.filters.composition import Composition
from traptor.supervisor.filters.language.clauses import Clause, FollowClause
from traptor.supervisor.filters.language.reading import FilterValue, read_filter
from traptor.supervisor.filters.sync.standing import Standing
from traptor.supervisor.xapi.answers import ListedFilter


class ForeignFilters(StrEnum):
    """What is done about filters that are not ours."""

    REFUSE = "refuse"  # nothing is changed in the app, and no connection opens
    LEAVE = "leave"  # they stay
    ADOPT = "adopt"  # those that this program could have written become ours, the others stay
    REMOVE = "remove"  # they are deleted


@dataclass(frozen=True)
class Goal:
    """The wanted values, each with the group that its tag names, and what they are about.

    `denied` is what wanted clauses are about that X refused: older filters about it stay.
    """

    collection: str
    groups: Mapping[str, str] = field(repr=False)
    policy: ForeignFilters = ForeignFilters.REFUSE
    capacity: int = 1_000  # filters that the app may have
    denied: frozenset[object] = field(default=frozenset(), repr=False)

    @classmethod
    def of(
        cls,
        composition: Composition,
        collection: str,
        policy: ForeignFilters,
        capacity: int,
        denied: Iterable[Clause] = (),
    ) -> Goal:
        """Return what the composition asks for, where X refused some clauses."""
        groups: dict[str, str] = {}
        for group, filters in groupby(composition.filters, attrgetter("group")):
            new = dict.fromkeys(map(attrgetter("text"), filters), str(group))
            groups = (
                {**groups, **{text: name for text, name in new.items() if text not in groups}}
                if groups
                else new
            )
        return cls(collection, groups, policy, capacity, frozenset(map(_subject, denied)))

    @cached_property
    def prefix(self) -> str:
        """What the tags of our filters begin with."""
        return f"traptor/{self.collection}/"

    def owns(self, tag: str | None, value: str) -> bool:
        """Tell whether an unwanted filter is ours to delete."""
        if self.policy is ForeignFilters.REMOVE or (tag or "").startswith(self.prefix):
            return True
        return self.policy is ForeignFilters.ADOPT and read_value(value) is not None

    def not_owned(self, standing: Standing) -> list[ListedFilter]:
        """Return the filters that are not ours to delete, should nobody want them."""
        if standing.owners.keys() <= {self.prefix.removesuffix("/")}:
            return []
        return [one for one in standing.filters.values() if not self.owns(one.tag, one.value)]


@lru_cache(65_536)  # more than any app has filters: a smaller one would read all of them anew each time
def read_value(value: str) -> FilterValue | None:
    """Read a value; the same ones are read again and again."""
    return read_filter(value)


@lru_cache(65_536)
def subjects(value: str) -> frozenset[object]:
    """Return what a filter is about, whatever its scope and suffix; nothing where it cannot be read."""
    read = read_value(value)
    return frozenset(map(_subject, read.clauses)) if read is not None else frozenset()


def suffix_of(value: str) -> str:
    """Return the suffix of a filter's value; "" where it has none, or cannot be read."""
    read = read_value(value)
    return read.suffix if read is not None else ""


def subjects_of(values: Iterable[str]) -> frozenset[object]:
    """Return what filters are about together."""
    return frozenset().union(*map(subjects, values))


def _subject(clause: Clause) -> object:
    return clause.user_id if isinstance(clause, FollowClause) else clause
