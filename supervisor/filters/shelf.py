"""The filters of one group while they are composed."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from traptor.supervisor.filters.composition import Demand, Filter
from traptor.supervisor.filters.language.clauses import OR, Clause, filter_text


class Shelf:
    """The place of each clause of a group: in bins, each of which becomes a filter."""

    def __init__(
        self, demand: Demand, clauses: Iterable[Clause], length: int, before: Sequence[Filter]
    ) -> None:
        self.demand = demand
        self.changed = 0  # clauses added or removed since `before`
        self._sizes = demand.sizes
        # The most that the clauses of a filter may take together, each with an OR, of which one is
        # superfluous.
        self._room = length + len(OR) - len(filter_text([], demand.suffix))
        self._alone: list[Filter] = []  # of before, with one clause, and untouched: no bin is made of them
        self._bins: list[_Bin] = []
        self._missing: list[Clause] = []
        self._take_over(set(clauses), before)

    def _take_over(self, left: set[Clause], before: Sequence[Filter]) -> None:
        sizes = self._sizes
        suffix, room = self.demand.suffix, self._room
        is_alone = not self.demand.packs
        for one in before:
            kept = one.clauses
            if is_alone and len(kept) == 1 and kept[0] in left and one.suffix == suffix:
                left.remove(kept[0])
                self._alone.append(one)
                continue
            if not left.issuperset(kept):
                kept = tuple([clause for clause in kept if clause in left])
                self.changed += len(one.clauses) - len(kept)
            if not kept or one.suffix != suffix:
                continue
            size = sum([sizes[clause] for clause in kept])
            if size <= room:
                left.difference_update(kept)
                self._bins.append(_Bin(kept, size, is_new=False, origin=one))
        self._missing = sorted(left, key=str)
        self.changed += len(self._missing)

    def place_missing(self) -> None:
        """Place the clauses without a bin: alone, or if they are always packed, with others."""
        roomiest = _Roomiest(self._bins if self.demand.packs else ())
        for clause in self._missing:
            size = self._sizes[clause]
            if self.demand.packs and roomiest.take(clause, size, self._room):
                continue
            self._bins.append(_Bin((clause,), size, is_new=True))
            roomiest.add(self._bins[-1])

    def __len__(self) -> int:
        return len(self._alone) + len(self._bins)

    def pack(self, most: int) -> None:
        """Pack clauses that stand alone until `most` filters are saved, or none can be."""
        if most <= 0:
            return
        self._touch_all()
        alone = sorted((one for one in self._bins if one.is_single), key=lambda one: not one.is_new)
        roomiest = _Roomiest(one for one in self._bins if not one.is_single)
        saved = 0
        for source in alone:
            if saved >= most:
                break
            clause = source.clauses[0]
            if roomiest.take(clause, self._sizes[clause], self._room):
                source.clauses = ()
                saved += 1
            else:
                roomiest.add(source)  # others may join it
        self._forget_empty()

    def take_away(self, most: int, *, new: bool) -> list[Clause]:
        """Remove at most `most` of the last filters, either new or old ones, and return their clauses."""
        self._touch_all()
        leaving = [one for one in reversed(self._bins) if one.is_new is new][:most]
        taken = [clause for one in leaving for clause in one.clauses]
        for one in leaving:
            one.clauses = ()
        self._forget_empty()
        return taken

    def merge(self, most: int) -> int:
        """Merge two packed filters that fit into one, at most `most` times, and return how often."""
        if most <= 0:
            return 0
        done = 0
        packed = sorted((one for one in self._bins if not one.is_single or self.demand.packs), key=_Bin.key)
        for source, target in zip(packed[::2], packed[1::2], strict=False):
            if done >= most or source.size + target.size > self._room:
                break
            target.clauses = (*target.clauses, *source.clauses)
            target.size += source.size
            source.clauses = ()
            done += 1
        self._forget_empty()
        return done

    def unpack(self, most: int) -> int:
        """Let at most `most` clauses of packed filters stand alone again, and return how many."""
        if self.demand.packs:
            return 0
        done = 0
        for source in sorted((one for one in self._bins if not one.is_single), key=_Bin.key):
            while done < most and not source.is_single:
                clause = source.clauses[-1]
                source.clauses = source.clauses[:-1]
                source.size -= self._sizes[clause]
                self._bins.append(_Bin((clause,), self._sizes[clause], is_new=True))
                done += 1
        return done

    def filters(self) -> Iterator[Filter]:
        """Yield the filters as they should be."""
        yield from self._alone
        for one in self._bins:
            if one.origin is not None and one.origin.clauses == one.clauses:
                yield one.origin  # its text is known
            else:
                yield Filter(self.demand.group, one.clauses, self.demand.suffix)

    def _touch_all(self) -> None:
        """Make bins of the filters that stood untouched: from here on they may change."""
        sizes = self._sizes
        untouched = [
            _Bin(one.clauses, sizes[one.clauses[0]], is_new=False, origin=one) for one in self._alone
        ]
        self._alone, self._bins = [], untouched + self._bins

    def _forget_empty(self) -> None:
        self._bins = [one for one in self._bins if one.clauses]


class _Bin(msgspec.Struct, gc=False, eq=False):
    """Clauses that share a filter, and the characters that they take, each with an OR."""

    clauses: tuple[Clause, ...]
    size: int
    is_new: bool  # no previous filter became it
    origin: Filter | None = None  # the previous filter that became it

    @property
    def is_single(self) -> bool:
        return len(self.clauses) == 1

    def key(self) -> int:
        """Return the sort key, which orders bins by size."""
        return self.size


class _Roomiest:
    """Finds the bin with the most room: if a clause does not fit there, it fits nowhere."""

    def __init__(self, bins: Iterable[_Bin]) -> None:
        self._heap = [(one.size, number, one) for number, one in enumerate(bins)]
        self._count = len(self._heap)
        heapq.heapify(self._heap)

    def add(self, one: _Bin) -> None:
        self._count += 1
        heapq.heappush(self._heap, (one.size, self._count, one))

    def take(self, clause: Clause, size: int, room: int) -> bool:
        """Put the clause into the roomiest bin; return False when it does not fit."""
        if not self._heap or self._heap[0][0] + size > room:
            return False
        _, number, one = self._heap[0]
        one.clauses = (*one.clauses, clause)
        one.size += size
        heapq.heapreplace(self._heap, (one.size, number, one))
        return True
