"""The ids that were seen, in 16 bytes each or more, forgetting the oldest when there are too many."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Final

_FIRST_SLOTS: Final = 1 << 12
_SPREAD: Final = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio: spreads ids that follow each other
_WORD: Final = (1 << 64) - 1
MOST: Final = (1 << 62) - 1  # X's ids get there in 2045


def number_of(post_id: str | None) -> int | None:
    """Return an id as a number; None for what is no usual id."""
    try:
        number = int(post_id or "")
    except ValueError:
        return None
    return number if 0 < number <= MOST else None


class SeenIds:
    """Remembers at least the last `least` ids, and at most twice as many.

    The ids lie in tables of slots, each at the first free slot from its own on: a Python set takes ten times
    the memory.
    """

    def __init__(self, least: int) -> None:
        self._least = least
        self._old: _Table | None = None
        self._young = _Table(_FIRST_SLOTS, self._least)

    def add(self, numbers: Iterable[int]) -> list[int]:
        """Remember ids from 1 to 2^64 - 1; return those that were not known."""
        new = []
        for number in numbers:
            spread = number * _SPREAD & _WORD
            if self._old is not None and self._old.has(number, spread):
                continue
            young = self._young
            slots, mask = young.slots, young.mask
            at = spread >> young.shift
            while (found := slots[at]) and found != number:
                at = (at + 1) & mask
            if found:
                continue
            slots[at] = number
            new.append(number)
            young.count += 1
            if young.count >= young.most:
                self._make_room()
        return new

    def has(self, number: int) -> bool:
        """Tell whether an id is known."""
        spread = number * _SPREAD & _WORD
        young, old = self._young, self._old
        slots, mask = young.slots, young.mask
        at = spread >> young.shift
        while found := slots[at]:
            if found == number:
                return True
            at = (at + 1) & mask
        return old is not None and old.has(number, spread)

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
            self._young = self._young.doubled()
        else:
            self._old, self._young = self._young, _Table(_FIRST_SLOTS, self._least)


class _Table:
    """Slots of which at most half are taken; 0 is free."""

    __slots__ = ("count", "least", "mask", "most", "shift", "slots")

    def __init__(self, slots: int, least: int) -> None:
        self.slots = array("Q", bytes(8 * slots))
        self.mask = slots - 1
        self.most = min(slots // 2, least)
        self.least = least
        self.shift = 65 - slots.bit_length()
        self.count = 0

    def has(self, number: int, spread: int) -> bool:
        slots, mask = self.slots, self.mask
        at = spread >> self.shift
        while found := slots[at]:
            if found == number:
                return True
            at = (at + 1) & mask
        return False

    def doubled(self) -> _Table:
        larger = _Table(2 * len(self.slots), self.least)
        slots, mask, shift = larger.slots, larger.mask, larger.shift
        for number in self.slots:
            if number:
                at = (number * _SPREAD & _WORD) >> shift
                while slots[at]:
                    at = (at + 1) & mask
                slots[at] = number
        larger.count = self.count
        return larger
