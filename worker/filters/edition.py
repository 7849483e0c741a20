"""The rules and the meanings of filters between two changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, auto
from itertools import chain, groupby
from operator import attrgetter

import msgspec

from traptor.common.filters import FollowScope, Meaning
from traptor.common.rules.rule import GroupId, Rule, RuleType
from traptor.worker.filters.packed import PackedFilter, PackedValue, PackedValues, compact
from traptor.worker.posts.astweet import tweet_of
from traptor.worker.posts.head import PostHead
from traptor.worker.posts.postline import whole_post
from traptor.worker.tweets.tweet import Tweet

_Packed = tuple[str, str, FollowScope]  # group, value and scope of what a packed filter stands for


class RuleSource(Enum):
    """What the filters that a post names tell about its rules."""

    MATCHED = auto()  # the rules that the filters, or comparing their values, give
    INFERRED = auto()  # rules that only the wider interpretation found among a filter's values
    UNATTRIBUTED = auto()  # a filter of ours, but none of its values was found
    FOREIGN = auto()  # no filter of ours


# By name, as they are needed for every post: in Python 3.11 a member of an enum is found by a call.
MATCHED, INFERRED, FOREIGN = RuleSource.MATCHED, RuleSource.INFERRED, RuleSource.FOREIGN


class Attribution(msgspec.Struct, frozen=True, gc=False):
    """The rules that a post was sent for, by index, in the order in which X names their filters."""

    source: RuleSource
    rules: tuple[int, ...] = ()


_FOREIGN = Attribution(FOREIGN)
_UNATTRIBUTED = Attribution(RuleSource.UNATTRIBUTED)


class Edition:
    """Tells the rules of posts; nothing in it changes."""

    def __init__(self, rules: Sequence[Rule], retired: Sequence[Rule], meanings: Iterable[Meaning]) -> None:
        """Take the rules wanted now, and `retired` ones whose filters may still find posts.

        A value means the retired rules only where no rule wants it now. Of rules with one key, the first
        counts.
        """
        self.rules = (*rules, *retired) if retired else tuple(rules)  # another tuple would touch each rule
        self._wanted = len(rules)
        self.meanings = tuple(meanings)
        self._single: dict[str, Attribution] = {}
        self._packed: dict[str, tuple[PackedFilter, ...]] = {}
        self._of_value: list[Attribution] = []  # by number of a packed value
        self._values = self._file(indexes_by_value(rules, retired) if self.meanings else {})
        # Nearly every post names one filter. One that two groups share may be both single and packed.
        self._sole = {key: one for key, one in self._single.items() if key not in self._packed}
        self._filter_of = self._filters_by_user()

    def attribute(self, head: PostHead, raw: bytes) -> Attribution:
        """Return the rules of a post; `raw` is its line."""
        named = head.matching_rules or ()
        if len(named) == 1:
            filter_id = named[0].id or ""
            sole = self._sole.get(filter_id)
            if sole is not None:
                return sole
            filter_of, users = self._filter_of, self._values.users(head)
            if len(users) > 1:
                users = tuple([number for number in users if filter_of[number] == filter_id])
            if len(users) == 1 and filter_of[users[0]] == filter_id:
                found = self._of_value[users[0]]
                if found.rules:
                    return found
        return self._of_several([one.id or "" for one in named], head, raw)

    def _of_several(self, ids: Sequence[str], head: PostHead, raw: bytes) -> Attribution:
        packed = [one for filter_id in ids for one in self._packed.get(filter_id, ())]
        if not packed and not any(filter_id in self._single for filter_id in ids):
            return _FOREIGN
        found = set(self._values.users(head)) if packed else set[int]()
        tweet: Tweet | None = None
        if not all(one.is_of_users for one in packed):
            tweet = tweet_of(whole_post(raw))
            found.update(self._values.texts(tweet))
        rules = self._rules(ids, found)
        if rules:
            return Attribution(MATCHED, rules)
        wider = self._rules(ids, self._values.wider(tweet or tweet_of(whole_post(raw)))) if packed else ()
        return Attribution(INFERRED, wider) if wider else _UNATTRIBUTED

    def for_query(self, meanings: Iterable[Meaning]) -> Edition:
        """Return an edition with the same rules, by the same indexes, for what a query stands for."""
        return Edition(self.rules[: self._wanted], self.rules[self._wanted :], meanings)

    def _rules(self, ids: Iterable[str], found: set[int]) -> tuple[int, ...]:
        """Return the rules of filters, of packed ones those of the values found."""
        rules: list[int] = []
        for filter_id in ids:
            if filter_id in self._single:
                rules += self._single[filter_id].rules
            for one in self._packed.get(filter_id, ()):
                for number in sorted(found.intersection(one.numbers)):
                    rules += self._of_value[number].rules
        return self._each_once(rules)

    def _each_once(self, indexes: Iterable[int]) -> tuple[int, ...]:
        """Return each rule once: as it is now, where an earlier one of its key is among them too."""
        if isinstance(indexes, tuple) and len(indexes) < 2:
            return indexes
        found = tuple(dict.fromkeys(indexes))
        if len(found) < 2:
            return found
        first: dict[str, int] = {}
        for index in found:
            key = self.rules[index].key
            first[key] = min(index, first.get(key, index))
        return tuple(first.values())

    # ---- at the beginning

    def _file(self, indexes: Mapping[str, Mapping[str, tuple[int, ...]]]) -> PackedValues:
        numbers: dict[_Packed, int] = {}
        for meaning in self.meanings:
            if meaning.is_packed:
                self._file_packed(meaning, numbers)
                continue
            its = indexes.get(meaning.group, {})
            known = self._single.get(meaning.filter_id, _UNATTRIBUTED).rules
            rules = self._each_once((*known, *(i for value in meaning.values for i in its.get(value, ()))))
            self._single[meaning.filter_id] = _attribution(rules)
        self._of_value = [
            _attribution(self._each_once(indexes.get(group, {}).get(text, ()))) for group, text, _ in numbers
        ]
        types = {group: GroupId.parse(group).type for group in {group for group, _, _ in numbers}}
        return PackedValues(PackedValue(types[group], text, scope) for group, text, scope in numbers)

    def _file_packed(self, meaning: Meaning, numbers: dict[_Packed, int]) -> None:
        group = meaning.group
        scopes = meaning.scopes or (FollowScope.FULL,) * len(meaning.values)
        keys = ((group, value, scope) for value, scope in zip(meaning.values, scopes, strict=True))
        its_numbers = compact([numbers.setdefault(key, len(numbers)) for key in keys])
        packed = PackedFilter(its_numbers, GroupId.parse(group).type is RuleType.FOLLOW)
        self._packed[meaning.filter_id] = (*self._packed.get(meaning.filter_id, ()), packed)

    def _filters_by_user(self) -> list[str | None]:
        """Return the filter of each packed value whose posts are told apart by users alone; None for others.

        That is so where a filter has only followed users, and no other filter has any of them.
        """
        filters: list[str | None] = [None] * len(self._of_value)
        times = [0] * len(self._of_value)
        for one in chain.from_iterable(self._packed.values()):
            for number in one.numbers:
                times[number] += 1
        for key, (first, *others) in self._packed.items():
            is_sole = first.is_of_users and not others and key not in self._single
            if is_sole and all(times[number] == 1 for number in first.numbers):
                for number in first.numbers:
                    filters[number] = key
        return filters


def _attribution(rules: tuple[int, ...]) -> Attribution:
    return Attribution(MATCHED, rules) if rules else _UNATTRIBUTED


def groups_of(rules: Iterable[Rule]) -> set[GroupId]:
    """Return the groups of rules, most of which stand beside others of theirs: a hash of each takes long."""
    return {group for group, _ in groupby(rules, attrgetter("group"))}


def indexes_by_value(rules: Sequence[Rule], retired: Sequence[Rule]) -> dict[str, dict[str, tuple[int, ...]]]:
    """Return the indexes of the rules that each value of a group stands for.

    Retired rules count only for values that no other rule has.
    """
    found: dict[str, dict[str, tuple[int, ...]]] = {}
    by_group = {group: found.setdefault(str(group), {}) for group in groups_of(chain(rules, retired))}
    for index, rule in enumerate(rules):
        its = by_group[rule.group]
        for value in rule.values:
            its[value] = (*its.get(value, ()), index)
    wanted = {group: set(its) for group, its in by_group.items()} if retired else {}
    for index, rule in enumerate(retired, len(rules)):
        its = by_group[rule.group]
        for value in rule.values:
            if value not in wanted[rule.group]:
                its[value] = (*its.get(value, ()), index)
    return found
