"""The ids that were seen, in 16 bytes each or more, forgetting the oldest when there are too many."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

_FIRST_SLOTS: Final = 1 << 12
_GROWS: Final = 4  # times: with each growth all ids are put in anew
_TOGETHER: Final = 1 << 10  # ids for which any table has room beyond those that it is meant for
MOST: Final = (1 << 62) - 1  # X's ids get there in 2045


def number_of(post_id: str | None) -> int | None:
    """Return an id as a number; None for what is no usual id."""
    try:
        number = int(post_id or "")
    except ValueError:
        return None
    return number if 0 < number <= MOST else None


def numbers_of(post_ids: Sequence[str | None]) -> list[int]:
    """Return ids as numbers; 0 for what is no usual id."""
    try:
        numbers = [*map(int, post_ids)]  # type: ignore[arg-type]
        if min(numbers) > 0 and max(numbers) <= MOST:
            return numbers
    except (TypeError, ValueError):
        pass  # one of them is none, or there are none at all
    return [number_of(one) or 0 for one in post_ids]


class SeenIds:
    """Remembers at least the last `least` ids, and at most twice as many.

    The ids lie in tables of slots, each at its own or at the first free one by steps of its own: a Python set
    takes ten times the memory.
    """

    def __init__(self, least: int) -> None:
        self._least = least
        self._old: _Table | None = None
        self._young = _Table(_FIRST_SLOTS, self._least)

    def add(self, numbers: Sequence[int]) -> list[int]:
        """Remember ids from 1 to 2^64 - 1; return those that were not known."""
        if len(numbers) <= _TOGETHER:
            return self._add(numbers)
        parts = (numbers[at : at + _TOGETHER] for at in range(0, len(numbers), _TOGETHER))
        return [*chain.from_iterable(map(self._add, parts))]

    def _add(self, numbers: Sequence[int]) -> list[int]:
        new = []
        young, old = self._young, self._old
        slots, size = young.slots, young.size
        for number in numbers:
            if old is not None and old.has(number):
                continue
            at = number % size
            while (found := slots[at]) and found != number:
                at = (at + 1 + number % (size - 1)) % size
            if not found:
                slots[at] = number
                new.append(number)
        young.count += len(new)
        if young.count >= young.most:
            self._make_room()
        return new

    def has(self, number: int) -> bool:
        """Tell whether an id is known."""
        return self.known([number])[0]

    def known(self, numbers: Iterable[int]) -> list[bool]:
        """Tell of each id whether it is known; 0 never is."""
        young, old = self._young, self._old
        slots, size = young.slots, young.size
        known = []
        for number in numbers:
            at = number % size
            while (found := slots[at]) and found != number:
                at = (at + 1 + number % (size - 1)) % size
            known.append(found > 0 or (old is not None and old.has(number)))
        return known

    def age(self) -> None:
        """Forget the ids that were remembered before the last call."""
        self._old, self._young = self._young, _Table(_FIRST_SLOTS, self._least)

    def clear(self) -> None:
        """Forget all."""
        self._old, self._young = None, _Table(_FIRST_SLOTS, self._least)

    @property
    def size_bytes(self) -> int:
        """The memory that the tables take."""
        tables = [table for table in (self._old, self._young) if table is not None]
        return sum(len(table.slots) * table.slots.itemsize for table in tables)

    def _make_room(self) -> None:
        if self._young.count < self._least:
            self._young = self._young.enlarged()
        else:
            self._old, self._young = self._young, _Table(_FIRST_SLOTS, self._least)


class _Table:
    """Slots of which about half are taken at most; 0 is free.

    An id's own slot is its rest by a prime, as X's ids differ in some of their bits only. From there it goes
    by steps of its own, which come to every slot: ids that follow each other lie in a row, and another one
    that falls among them leaves the row with its first step.
    """

    __slots__ = ("count", "least", "most", "most_slots", "size", "slots")

    def __init__(self, most_slots: int, least: int) -> None:
        self.most_slots = most_slots
        self.size = _prime_below(most_slots)
        self.slots = array("Q", bytes(8 * self.size))
        self.most = min(most_slots // 2, least)
        self.least = least
        self.count = 0

    def has(self, number: int) -> bool:
        slots, size = self.slots, self.size
        at = number % size
        while (found := slots[at]) and found != number:
            at = (at + 1 + number % (size - 1)) % size
        return found > 0

    def enlarged(self) -> _Table:
        most_slots = min(_GROWS * self.most_slots, 2 * max(self.most_slots, self.least))
        larger = _Table(most_slots, self.least)
        slots, size = larger.slots, larger.size
        for number in filter(None, self.slots):
            at = number % size
            while slots[at]:
                at = (at + 1 + number % (size - 1)) % size
            slots[at] = number
        larger.count = self.count
        return larger


def _prime_below(most: int) -> int:
    """Return the largest prime up to `most`, if that is not tiny."""
    odd = most - 1 + most % 2
    while not all(odd % divisor for divisor in range(3, math.isqrt(odd) + 1, 2)):
        odd -= 2
    return odd
