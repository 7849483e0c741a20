"""The rules and the meanings of filters between two changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, groupby
from operator import attrgetter

from traptor.common.filters import FollowScope, Meaning
from traptor.common.rules.rule import GroupId, Rule, RuleType
from traptor.worker.filters.attribution import (
    FOREIGN,
    INFERRED,
    MATCHED,
    Attribution,
    RuleSource,
)
from traptor.worker.filters.followed import FollowedUser, FollowedUsers, FollowFilter
from traptor.worker.filters.packed import PackedFilter, PackedValue, PackedValues, compact
from traptor.worker.posts.astweet import tweet_of
from traptor.worker.posts.head import PostHead
from traptor.worker.posts.postline import whole_post
from traptor.worker.tweets.tweet import Tweet

_Packed = FollowFilter | PackedFilter
_Text = tuple[str, str]  # group and value of what a packed filter stands for
_MOST_SHARED = 1_024


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
        # One object for all posts with the same rules and filters: posts are counted by it.
        self._shared = lru_cache(_MOST_SHARED)(_attribution)
        self._of_none = Attribution(RuleSource.UNATTRIBUTED)  # no post gets this one
        self._single: dict[str, Attribution] = {}
        self._packed: dict[str, tuple[_Packed, ...]] = {}
        self._of_value: list[Attribution] = []  # by number of a packed text or place
        self._values = self._file(indexes_by_value(rules, retired) if self.meanings else {})
        # Nearly every post names one filter. One that two groups share may be both single and packed.
        self._sole: dict[str | None, Attribution] = {
            key: one for key, one in self._single.items() if one.rules and key not in self._packed
        }
        self._followed = FollowedUsers(
            one
            for key, (one, *others) in self._packed.items()
            if isinstance(one, FollowFilter) and not others and key not in self._single
        )

    def attribute(self, head: PostHead, raw: bytes) -> Attribution:
        """Return the rules of a post; `raw` is its line."""
        return self.attribute_all([head], [raw])[0]

    def attribute_all(self, heads: Sequence[PostHead], raws: Sequence[bytes]) -> list[Attribution]:
        """Return the rules of each of several posts."""
        sole, followed = self._sole, self._followed
        attributions = []
        for head, raw in zip(heads, raws, strict=True):
            named = head.matching_rules or ()
            found = None
            if len(named) == 1:
                filter_id = named[0].id
                found = sole.get(filter_id)
                if found is None:
                    found = followed.sole(head, filter_id)
            if found is None:
                found = self._of_several(tuple([one.id or "" for one in named]), head, raw)
            attributions.append(found)
        return attributions

    def _of_several(self, ids: tuple[str, ...], head: PostHead, raw: bytes) -> Attribution:
        packed = [one for filter_id in ids for one in self._packed.get(filter_id, ())]
        if not packed and not any(filter_id in self._single for filter_id in ids):
            return self._shared(FOREIGN, (), ids)
        tweet: Tweet | None = None
        texts: set[int] = set()
        if any(isinstance(one, PackedFilter) for one in packed):
            tweet = tweet_of(whole_post(raw))
            texts.update(self._values.found(tweet))
        rules = self._rules(
            ids, lambda one: one.found(head) if isinstance(one, FollowFilter) else self._of_texts(one, texts)
        )
        if rules:
            return self._shared(MATCHED, rules, ids)
        wider = self._wider(ids, tweet or tweet_of(whole_post(raw))) if packed else ()
        return self._shared(INFERRED if wider else RuleSource.UNATTRIBUTED, wider, ids)

    def _wider(self, ids: Sequence[str], tweet: Tweet) -> tuple[int, ...]:
        """Return the rules of filters that the wider interpretation finds."""
        texts = set(self._values.wider(tweet))
        return self._rules(
            ids,
            lambda one: one.wider(tweet) if isinstance(one, FollowFilter) else self._of_texts(one, texts),
        )

    def for_query(self, meanings: Iterable[Meaning]) -> Edition:
        """Return an edition with the same rules, by the same indexes, for what a query stands for."""
        return Edition(self.rules[: self._wanted], self.rules[self._wanted :], meanings)

    def _rules(
        self, ids: Iterable[str], found: Callable[[_Packed], Iterable[Attribution]]
    ) -> tuple[int, ...]:
        """Return the rules of filters, of packed ones those of what is found in them."""
        rules: list[int] = []
        for filter_id in ids:
            if filter_id in self._single:
                rules += self._single[filter_id].rules
            for one in self._packed.get(filter_id, ()):
                rules += chain.from_iterable(value.rules for value in found(one))
        return self._each_once(rules)

    def _of_texts(self, packed: PackedFilter, found: set[int]) -> list[Attribution]:
        return [self._of_value[number] for number in sorted(found.intersection(packed.numbers))]

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
        numbers: dict[_Text, int] = {}
        for meaning in self.meanings:
            key, its = meaning.filter_id, indexes.get(meaning.group, {})
            if meaning.is_packed:
                packed = self._file_packed(meaning, its, numbers)
                self._packed[key] = (*self._packed.get(key, ()), packed)
                continue
            known = self._single.get(key, self._of_none).rules
            rules = self._each_once((*known, *(i for value in meaning.values for i in its.get(value, ()))))
            self._single[key] = self._to(rules)
        self._of_value = [self._of(indexes.get(group, {}), text) for group, text in numbers]
        types = {group: GroupId.parse(group).type for group in {group for group, _ in numbers}}
        return PackedValues(PackedValue(types[group], text) for group, text in numbers)

    def _file_packed(
        self, meaning: Meaning, indexes: Mapping[str, tuple[int, ...]], numbers: dict[_Text, int]
    ) -> _Packed:
        group, values = meaning.group, meaning.values
        if GroupId.parse(group).type is RuleType.FOLLOW:
            return FollowFilter(tuple(self._followed_users(meaning, indexes)))
        return PackedFilter(compact([numbers.setdefault((group, text), len(numbers)) for text in values]))

    def _followed_users(
        self, meaning: Meaning, indexes: Mapping[str, tuple[int, ...]]
    ) -> Iterator[FollowedUser]:
        scopes = meaning.scopes or [FollowScope.FULL] * len(meaning.values)
        for user, scope in zip(meaning.values, scopes, strict=True):
            if rules := self._each_once(indexes.get(user, ())):
                yield FollowedUser(MATCHED, rules, None, user, meaning.filter_id, scope)

    def _of(self, indexes: Mapping[str, tuple[int, ...]], value: str) -> Attribution:
        """Return the attribution to the rules of a value."""
        return self._to(self._each_once(indexes.get(value, ())))

    def _to(self, rules: tuple[int, ...]) -> Attribution:
        return Attribution(MATCHED, rules) if rules else self._of_none


def _attribution(source: RuleSource, rules: tuple[int, ...], _ids: tuple[str, ...]) -> Attribution:
    """Return an attribution of posts that name these filters."""
    return Attribution(source, rules)


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
