"""The ids that were seen, in 16 bytes each at least, forgetting the oldest when there are too many."""

from __future__ import annotations

from array import array
from typing import Final

_FIRST_SLOTS: Final = 1 << 12
_SPREAD: Final = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio: spreads ids that follow each other
_WORD: Final = (1 << 64) - 1


class SeenIds:
    """Remembers at least the last `least` ids, and at most twice as many."""

    def __init__(self, least: int) -> None:
        self._least = least
        self._young = _Table(_FIRST_SLOTS)
        self._old = _Table(_FIRST_SLOTS)

    def add(self, number: int) -> bool:
        """Remember an id from 1 to 2^64 - 1; return False when it was known."""
        if number in self._old or not self._young.add(number):
            return False
        if len(self._young) >= self._least:
            self._old, self._young = self._young, _Table(_FIRST_SLOTS)
        return True

    def clear(self) -> None:
        """Forget all."""
        self._young = _Table(_FIRST_SLOTS)
        self._old = _Table(_FIRST_SLOTS)


class _Table:
    """A set of numbers in one array: a Python set of as many takes ten times the memory."""

    __slots__ = ("_count", "_mask", "_shift", "_slots")

    def __init__(self, slots: int) -> None:
        self._slots = array("Q", bytes(8 * slots))
        self._mask = slots - 1
        self._shift = 65 - slots.bit_length()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, number: int) -> bool:
        slots, mask = self._slots, self._mask
        at = (number * _SPREAD & _WORD) >> self._shift
        while found := slots[at]:
            if found == number:
                return True
            at = (at + 1) & mask
        return False

    def add(self, number: int) -> bool:
        slots, mask = self._slots, self._mask
        at = (number * _SPREAD & _WORD) >> self._shift
        while found := slots[at]:
            if found == number:
                return False
            at = (at + 1) & mask
        slots[at] = number
        self._count += 1
        if 2 * self._count > mask + 1:
            self._grow()
        return True

    def _grow(self) -> None:
        larger = _Table(2 * len(self._slots))
        for number in self._slots:
            if number:
                larger.add(number)
        self._slots, self._mask, self._shift = larger._slots, larger._mask, larger._shift  # its own kind
