"""What stands in an app at X as far as it is known, and what was learnt while it was changed."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

from traptor.supervisor.xapi.answers import ListedFilter
from traptor.supervisor.xapi.batch import BatchAnswer

EFFECT_S = 20.0  # from the answer until a change is in effect, by X's documents
KNOWN_AFTER_S = 60.0  # a deleted filter may still be named by posts
_REFUSED_S = 3_600.0  # before a refused value is tried again: X changes its mind, and its language
_ODDLY_REFUSED_S = 900.0  # where it is not certain that the value is the cause
_RETRY_S = 60.0
_STRANGER_S = 3_600.0  # longer than looks are apart, so that two programs do not delete each other's for ever
_FULL_S = 300.0
_MOST_TAKEN = 50_000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why X does not take a value, and until when it is not tried again."""

    reason: str
    until: float


@dataclass(frozen=True, slots=True)
class Gone:
    """A filter that was deleted, or vanished."""

    value: str
    at: float


@dataclass(frozen=True)
class Standing:
    """The filters by id, and what is known of them; times are seconds of the caller's clock.

    `by_value` is the id of the first filter of each value, as X writes it; `owners` counts them by what
    their tags begin with. Both follow from `filters`, and are kept with it since they change by little.
    """

    filters: Mapping[str, ListedFilter] = field(default_factory=dict, repr=False)
    by_value: Mapping[str, str] = field(default_factory=dict, repr=False)
    owners: Mapping[str, int] = field(default_factory=dict, repr=False)
    is_fresh: bool = False  # the list is X's own, brought up to date by every answer since
    effect_at: Mapping[str, float] = field(default_factory=dict, repr=False)
    gone: Mapping[str, Gone] = field(default_factory=dict, repr=False)
    same_as: Mapping[str, str] = field(default_factory=dict, repr=False)  # values that X writes its own way
    refused: Mapping[str, Refusal] = field(default_factory=dict, repr=False)
    left_alone: Mapping[str, float] = field(default_factory=dict, repr=False)  # until when, by id
    strangers: frozenset[str] = field(default=frozenset(), repr=False)  # with our tag, but not added here
    taken: Mapping[str, None] = field(default_factory=dict, repr=False)  # digests of values taken before
    splits: tuple[tuple[str, ...], ...] = ()  # parts of refused batches, to be tried on their own
    full_at: int | None = None  # X refused more than so many filters
    full_until: float = 0.0

    def is_in_effect(self, filter_id: str, now: float) -> bool:
        """Tell whether posts are delivered for a filter."""
        return filter_id in self.filters and self.effect_at.get(filter_id, now) <= now

    def pending(self, now: float) -> Mapping[str, float]:
        """Return the filters that are not in effect yet, by id, and when they are."""
        if self._latest_effect <= now:
            return {}
        return {key: at for key, at in self.effect_at.items() if at > now and key in self.filters}

    @cached_property
    def _latest_effect(self) -> float:
        return max(self.effect_at.values(), default=0.0)

    def was_taken(self, value: str) -> bool:
        """Tell whether X has taken the value before."""
        return digest(value) in self.taken

    def refusals(self, now: float) -> dict[str, str]:
        """Return the values that are not tried again yet, each with X's reason."""
        return {value: one.reason for value, one in self.refused.items() if one.until > now}

    def room(self, capacity: int, now: float) -> int:
        """Return how many filters can be added."""
        most = capacity if self.full_at is None or now >= self.full_until else min(capacity, self.full_at)
        return max(0, most - len(self.filters))

    def listed(self, filters: Iterable[ListedFilter], now: float) -> Standing:
        """Return it after a complete list. Filters not seen before are taken for new."""
        by_id = {one.id: one for one in filters}
        vanished = {key: Gone(one.value, now) for key, one in self.filters.items() if key not in by_id}
        return replace(
            self,
            filters=by_id,
            by_value=_first_of_each(by_id),
            owners=_owners({}, by_id.values(), 1),
            is_fresh=True,
            effect_at={key: self.effect_at.get(key, now + EFFECT_S) for key in by_id},
            gone=_recent({**self.gone, **vanished}, now, by_id),
            same_as={value: key for value, key in self.same_as.items() if key in by_id},
            refused={value: one for value, one in self.refused.items() if one.until > now},
            taken=_with_taken(self.taken, [one.value for one in by_id.values()]),
            left_alone={key: at for key, at in self.left_alone.items() if at > now},
            strangers=self.strangers & by_id.keys(),
        )

    def estranged(self, before: Standing, prefix: str, now: float) -> Standing:
        """Return it, just listed, where `before` had all filters: those with our tag that are new to it.

        Another program adds them, with the same collection. For a while they are left alone: it would add
        them again, and delete ours in turn.
        """
        known = (before.filters, before.gone)
        new = [
            one.id
            for one in self.filters.values()
            if (one.tag or "").startswith(prefix) and not any(one.id in ids for ids in known)
        ]
        left_alone = {**self.left_alone, **dict.fromkeys(new, now + _STRANGER_S)}
        return replace(self, left_alone=left_alone, strangers=self.strangers.union(new))

    def strange(self, now: float) -> list[ListedFilter]:
        """Return the filters that another program added with our tag, within the last hour."""
        found = [key for key in self.strangers if self.left_alone.get(key, now) > now]
        return [self.filters[key] for key in sorted(found) if key in self.filters]

    def doubted(self) -> Standing:
        """Return it after something that may have changed the filters unnoticed: they are listed next."""
        return replace(self, is_fresh=False)

    def seen(self, filter_id: str, now: float) -> Standing:
        """Return it after a post that named the filter: it is in effect."""
        if self.effect_at.get(filter_id, now) <= now:
            return self
        return replace(self, effect_at={**self.effect_at, filter_id: now})

    def added(self, sent: Sequence[str], answer: BatchAnswer, now: float) -> Standing:
        """Return it after the answer to a batch."""
        filters, by_value = dict(self.filters), dict(self.by_value)
        same_as, refused = dict(self.same_as), dict(self.refused)
        joined = [one for one in answer.taken.values() if one.id not in self.filters]
        for value, one in answer.taken.items():
            filters[one.id] = one
            by_value.setdefault(one.value, one.id)
            if one.value != value:
                same_as[value] = one.id
        for value, key in answer.existing.items():
            if key:
                same_as[value] = key
            if key not in filters:  # counts only where the next list does not show it
                refused[value] = Refusal(
                    "X says that it stands there already, but does not list it", now + _RETRY_S
                )
        for value, reason in answer.refused.items():
            refused[value] = Refusal(reason, now + _REFUSED_S)
        new = {one.id: now + EFFECT_S for one in answer.taken.values()}
        after = replace(
            self,
            filters=filters,
            by_value=by_value,
            owners=_owners(self.owners, joined, 1),
            is_fresh=self.is_fresh and all(key in filters for key in answer.existing.values()),
            effect_at={**self.effect_at, **new},
            same_as=same_as,
            refused=refused,
            taken=_with_taken(self.taken, answer.taken),
        )
        told = {*answer.taken, *answer.existing, *answer.refused}
        rest = [value for value in sent if value not in told]
        if not rest or answer.refused or answer.existing:
            return after
        if len(rest) < len(sent):  # what X passes over beside others was not tried on its own
            return after._to_try(rest)
        reason = answer.reason or "X does not take it and gives no reason"
        return after.halved(rest, Refusal(reason, now + (_ODDLY_REFUSED_S if answer.is_odd else _REFUSED_S)))

    def halved(self, batch: Sequence[str], refusal: Refusal) -> Standing:
        """Return it after a refusal that names no value: a single one is refused, more are parted."""
        if len(batch) == 1:
            refused = {**self.refused, batch[0]: refusal}
            return replace(self, refused=refused, splits=self._splits_without(batch))
        middle = len(batch) // 2
        return self._to_try(batch[:middle], batch[middle:])

    def _to_try(self, *parts: Sequence[str]) -> Standing:
        """Return it with these parts of a batch to be tried on their own, before all others."""
        parted = {value for part in parts for value in part}
        return replace(self, splits=(*map(tuple, parts), *self._splits_without(parted)))

    def _splits_without(self, values: Container[str]) -> tuple[tuple[str, ...], ...]:
        kept = [tuple(value for value in split if value not in values) for split in self.splits]
        return tuple(split for split in kept if split)

    def without_splits(self) -> Standing:
        """Return it when nothing of refused batches is left to try."""
        return replace(self, splits=()) if self.splits else self

    def deleted(self, ids: Sequence[str], now: float, *, found_all: bool) -> Standing:
        """Return it after filters were deleted; if X did not find all of them, they are listed next."""
        gone = {key: Gone(self.filters[key].value, now) for key in ids if key in self.filters}
        filters = _less(self.filters, gone)
        after = replace(
            self,
            filters=filters,
            by_value=_first_of_each(filters),
            owners=_owners(self.owners, [self.filters[key] for key in gone], -1),
            effect_at=_less(self.effect_at, gone),
            gone=_recent({**self.gone, **gone}, now, ()),
        )
        if found_all:
            return after
        left_alone = {**self.left_alone, **dict.fromkeys(ids, now + _RETRY_S)}
        return replace(after, is_fresh=False, left_alone=left_alone)

    def capped(self, room: int, now: float) -> Standing:
        """Return it after X refused more filters; `room` is what its counts leave."""
        return replace(self, full_at=len(self.filters) + room, full_until=now + _FULL_S)

    @cached_property
    def as_written(self) -> Mapping[str, ListedFilter]:
        """The filters by id, with the values that we wrote."""
        written = {key: value for value, key in self.same_as.items() if key in self.filters}
        if not written:
            return self.filters
        return {**self.filters, **{key: ListedFilter(key, value) for key, value in written.items()}}

    def known(self, now: float) -> Mapping[str, ListedFilter]:
        """Return all filters that posts may name, by id, with the values that we wrote."""
        gone = {
            key: ListedFilter(key, one.value) for key, one in _recent(self.gone, now, self.filters).items()
        }
        return {**gone, **self.as_written} if gone else self.as_written


def owner_of(tag: str | None) -> str:
    """Return what a tag begins with, before the group and the number that ours end with."""
    return (tag or "").rsplit("/", 2)[0]


def digest(value: str) -> str:
    """Return what is kept of a value that X has taken."""
    return hashlib.blake2b(value.encode(), digest_size=8).hexdigest()


def _with_taken(taken: Mapping[str, None], values: Iterable[str]) -> Mapping[str, None]:
    new = [key for key in map(digest, values) if key not in taken]
    if not new:
        return taken
    found = {**taken, **dict.fromkeys(new)}
    return found if len(found) <= _MOST_TAKEN else dict.fromkeys([*found][-_MOST_TAKEN:])


def _recent(gone: Mapping[str, Gone], now: float, present: Container[str]) -> dict[str, Gone]:
    return {key: one for key, one in gone.items() if one.at + KNOWN_AFTER_S > now and key not in present}


def _less(by_id: Mapping[str, _T], gone: Iterable[str]) -> dict[str, _T]:
    left = {**by_id}
    for key in gone:
        left.pop(key, None)
    return left


def _owners(before: Mapping[str, int], filters: Iterable[ListedFilter], by: int) -> dict[str, int]:
    found = {**before}
    for one in filters:
        owner = owner_of(one.tag)
        found[owner] = found.get(owner, 0) + by
    return {owner: count for owner, count in found.items() if count}


def _first_of_each(filters: Mapping[str, ListedFilter]) -> dict[str, str]:
    return {one.value: one.id for one in reversed([*filters.values()])}
