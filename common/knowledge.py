"""What a worker matches by under v2, as the master tells it with the fork and by changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

from traptor.common.filters import Meaning
from traptor.common.rules.rule import Rule


@dataclass(frozen=True)
class Knowledge:
    """Rules, and what the filters stand for that posts may name, by the filters' ids."""

    rules: tuple[Rule, ...] = field(default=(), repr=False)
    by_filter: Mapping[str, tuple[Meaning, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, rules: Iterable[Rule], meanings: Iterable[Meaning]) -> Knowledge:
        """Return what these rules and meanings are."""
        by_filter: dict[str, tuple[Meaning, ...]] = {}
        for one in meanings:
            by_filter[one.filter_id] = (*by_filter.get(one.filter_id, ()), one)
        return cls(tuple(rules), by_filter)

    @cached_property
    def meanings(self) -> tuple[Meaning, ...]:
        """The meanings of all filters."""
        return tuple(chain.from_iterable(self.by_filter.values()))
