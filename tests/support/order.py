"""The order in which several processes take the tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def dealt(longest: Sequence[T], others: Sequence[T], processes: int) -> list[T]:
    """Return all so that each process begins with some of the longest, and the others keep their order.

    Of the list, xdist gives each process one stretch, and what one has not begun to another that is done:
    a test of two minutes at the end of a stretch would leave the others waiting for it.
    """
    order: list[T] = []
    total = len(longest) + len(others)
    for number in range(processes):
        own = longest[number::processes]
        share = (total - len(order)) // (processes - number)
        count = max(0, share - len(own))
        order += [*own, *others[:count]]
        others = others[count:]
    return [*order, *others]
