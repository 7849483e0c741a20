"""The rules and the meanings of filters between two changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, auto
from itertools import chain

import msgspec

from traptor.common.filters import Meaning
from traptor.common.rules.rule import GroupId, Rule, RuleType
from traptor.worker.filters.packed import PackedValues
from traptor.worker.posts.post import PostLine

Value = tuple[str, str]  # group and value


class Source(Enum):
    """What the filters that a post names tell about its rules."""

    MATCHED = auto()  # the rules that the filters, or comparing their values, give
    INFERRED = auto()  # rules that only the wider interpretation found among a filter's values
    UNATTRIBUTED = auto()  # a filter of ours, but none of its values was found
    FOREIGN = auto()  # no filter of ours


class Attribution(msgspec.Struct, frozen=True, gc=False):
    """The rules that a post was sent for, by index, in the order in which X names their filters."""

    source: Source
    rules: tuple[int, ...] = ()


class _PackedFilter(msgspec.Struct, frozen=True):
    """The values of a packed filter, by their numbers."""

    kind: RuleType
    numbers: frozenset[int]


_FOREIGN = Attribution(Source.FOREIGN)
_UNATTRIBUTED = Attribution(Source.UNATTRIBUTED)


class Edition:
    """Tells the rules of posts; nothing in it changes."""

    def __init__(self, rules: Sequence[Rule], retired: Sequence[Rule], meanings: Iterable[Meaning]) -> None:
        """Take the rules wanted now, and `retired` ones whose filters may still find posts.

        A value means the retired rules only where no rule wants it now.
        """
        self.rules = (*rules, *retired)
        self.meanings = tuple(meanings)
        self._current = len(rules)
        self._single: dict[str, Attribution] = {}
        self._packed: dict[str, tuple[_PackedFilter, ...]] = {}
        self._rules_of: list[tuple[int, ...]] = []  # by number of a packed value
        self._values = self._file(indexes_by_value(rules, retired))
        # A filter that two groups share may be packed for one of them.
        self._sole = {key: one for key, one in self._single.items() if key not in self._packed}

    def attribute(self, line: PostLine) -> Attribution:
        """Return the rules of a post."""
        named = line.matching_rules or ()
        if len(named) == 1 and (sole := self._sole.get(named[0].id or "")) is not None:
            return sole
        ids = [one.id or "" for one in named]
        packed = [one for filter_id in ids for one in self._packed.get(filter_id, ())]
        if not packed and not any(filter_id in self._single for filter_id in ids):
            return _FOREIGN
        rules = self._rules(ids, self._found(line, packed))
        if rules:
            return Attribution(Source.MATCHED, rules)
        wider = self._rules(ids, self._values.wider(line)) if packed else ()
        return Attribution(Source.INFERRED, wider) if wider else _UNATTRIBUTED

    def knows(self, filter_id: str) -> bool:
        """Tell whether it is a filter of ours."""
        return filter_id in self._single or filter_id in self._packed

    def _found(self, line: PostLine, packed: Sequence[_PackedFilter]) -> set[int]:
        return self._values.documented(line, {one.kind for one in packed}) if packed else set()

    def _rules(self, ids: Iterable[str], found: set[int]) -> tuple[int, ...]:
        """Return the rules of filters, of packed ones those of the values found."""
        rules: list[int] = []
        for filter_id in ids:
            if filter_id in self._single:
                rules += self._single[filter_id].rules
            for one in self._packed.get(filter_id, ()):
                for number in sorted(one.numbers & found):
                    rules += self._rules_of[number]
        return self._each_once(rules)

    def _each_once(self, indexes: Iterable[int]) -> tuple[int, ...]:
        """Return each rule once: as it is now, where it is also retired with another value."""
        found = tuple(dict.fromkeys(indexes))
        if all(index < self._current for index in found):
            return found
        now = {self.rules[index].key for index in found if index < self._current}
        return tuple([i for i in found if i < self._current or self.rules[i].key not in now])

    # ---- at the beginning

    def _file(self, indexes: Mapping[Value, tuple[int, ...]]) -> PackedValues:
        numbers: dict[Value, int] = {}
        for meaning in self.meanings:
            values = [(meaning.group, value) for value in meaning.values]
            if meaning.is_packed:
                self._file_packed(meaning, values, numbers)
                continue
            known = self._single.get(meaning.filter_id, _UNATTRIBUTED).rules
            rules = self._each_once((*known, *(i for value in values for i in indexes.get(value, ()))))
            source = Source.MATCHED if rules else Source.UNATTRIBUTED
            self._single[meaning.filter_id] = Attribution(source, rules)
        self._rules_of = [indexes.get(value, ()) for value in numbers]
        return PackedValues(
            {(GroupId.parse(group).type, value, number) for (group, value), number in numbers.items()}
        )

    def _file_packed(self, meaning: Meaning, values: Iterable[Value], numbers: dict[Value, int]) -> None:
        its_numbers = frozenset([numbers.setdefault(value, len(numbers)) for value in values])
        packed = _PackedFilter(GroupId.parse(meaning.group).type, its_numbers)
        self._packed[meaning.filter_id] = (*self._packed.get(meaning.filter_id, ()), packed)


def indexes_by_value(rules: Sequence[Rule], retired: Sequence[Rule]) -> dict[Value, tuple[int, ...]]:
    """Return the indexes of the rules that each value stands for; retired ones come after all others."""
    names = {group: str(group) for group in {rule.group for rule in chain(rules, retired)}}
    found: dict[Value, tuple[int, ...]] = {}
    for index, rule in enumerate(rules):
        for value in rule.values:
            found[names[rule.group], value] = (*found.get((names[rule.group], value), ()), index)
    wanted = found.keys() | set()
    for index, rule in enumerate(retired, len(rules)):
        for value in rule.values:
            if (names[rule.group], value) not in wanted:
                found[names[rule.group], value] = (*found.get((names[rule.group], value), ()), index)
    return found
