"""Inputs and results of a composition: demands of groups, filters, and waiting clauses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from traptor.common.rules.rule import GroupId, RuleType
from traptor.supervisor.filters.language.clauses import OR, Clause, filter_text

_FREE_SHARE = 20  # one in twenty stays free, so that filters can be added before others are deleted
_FREE_LEAST = 10


@dataclass(frozen=True, slots=True)
class Allowance:
    """The limits of an app: the number of its filters, and the characters of each."""

    filters: int
    length: int

    @property
    def usable(self) -> int:
        """The number of filters that a composition may use; the rest stays free for changes."""
        free = max(_FREE_LEAST, -(-self.filters // _FREE_SHARE))
        return self.filters - min(free, self.filters // 2)


@dataclass(frozen=True, eq=False)
class Demand:
    """The demand of one group: its clauses, each with the values that it stands for."""

    group: GroupId
    clauses: Mapping[Clause, tuple[str, ...]] = field(repr=False)
    suffix: str = ""

    @cached_property
    def sizes(self) -> Mapping[Clause, int]:
        """The number of characters of each clause, with the OR that joins it to another."""
        return {clause: _size(clause) for clause in self.clauses}

    def changed(self, clauses: Mapping[Clause, tuple[str, ...]]) -> Demand:
        """Return the demand in which these clauses stand for these values; those for none are not wanted."""
        wanted, sizes = {**self.clauses}, {**self.sizes}
        for clause, values in clauses.items():
            if values:
                wanted[clause], sizes[clause] = values, _size(clause)
            elif clause in wanted:
                del wanted[clause], sizes[clause]
        after = Demand(self.group, wanted, self.suffix)
        after.__dict__["sizes"] = sizes  # measuring all of them again would take longer than the rest
        return after

    @property
    def packs(self) -> bool:
        """True when its clauses always share filters: a post's subject can be told without asking X."""
        return self.group.type is RuleType.FOLLOW


def _size(clause: Clause) -> int:
    return len(str(clause)) + len(OR)


@dataclass(frozen=True)
class Filter:
    """A filter as it should stand at X."""

    group: GroupId
    clauses: tuple[Clause, ...] = field(repr=False)
    suffix: str = ""

    @cached_property
    def text(self) -> str:
        """Its value at X."""
        return filter_text(self.clauses, self.suffix)

    @property
    def is_packed(self) -> bool:
        """True when it has more than one clause."""
        return len(self.clauses) > 1


@dataclass(frozen=True, slots=True)
class Waiting:
    """A clause that no filter has, and why: a sentence for the rule's owner."""

    group: GroupId
    clause: Clause
    reason: str
    fits: bool = True  # it would have a filter if there were room; else it is too long for any


@dataclass(frozen=True)
class Composition:
    """The filters of an app, and the clauses that found no room.

    Filters of the same text, which two groups may want, are one filter at X.
    """

    filters: tuple[Filter, ...]
    waiting: tuple[Waiting, ...] = ()

    @cached_property
    def by_text(self) -> Mapping[str, tuple[Filter, ...]]:
        """The filters by their value at X, which is one filter there."""
        found: dict[str, tuple[Filter, ...]] = {one.text: (one,) for one in self.filters}
        if len(found) < len(self.filters):
            found = dict.fromkeys(found, ())
            for one in self.filters:
                found[one.text] = (*found[one.text], one)
        return found
