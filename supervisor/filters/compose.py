"""Compose the filters of an app: as few as needed, not as few as possible, and close to the previous ones.

A filter of one clause names its rules by its id alone, so clauses stand alone while there is room; clauses of
follow rules are always packed. Pure; docs/decisions tells why.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from traptor.supervisor.filters.composition import Allowance, Composition, Demand, Filter, Waiting
from traptor.supervisor.filters.language.clauses import OR, Clause, FollowClause, filter_text
from traptor.supervisor.filters.language.tiles import SMALLER
from traptor.supervisor.filters.shelf import Shelf


def compose(demands: Iterable[Demand], allowance: Allowance, before: Sequence[Filter] = ()) -> Composition:
    """Return the filters that carry the demands, changed as little as possible from `before`.

    A change of k clauses makes at most 2k + 1 new filters; composing the result again changes nothing.
    """
    ordered = sorted(demands, key=lambda demand: (-len(demand.clauses), demand.group))
    shelves: list[Shelf] = []
    waiting: list[Waiting] = []
    by_group = _by_group(before)
    for demand in ordered:
        fitting, too_long = _measured(demand, allowance.length)
        waiting += too_long
        shelves.append(Shelf(demand, fitting, allowance.length, by_group.get(demand.group, ())))
    for shelf in shelves:
        shelf.place_missing()
    _make_room(shelves, allowance.usable)
    waiting += _leave_out(shelves, allowance)
    _loosen(shelves, allowance.usable)
    return Composition(tuple(one for shelf in shelves for one in shelf.filters()), tuple(waiting))


def used(shelves: Iterable[Shelf]) -> int:
    """Return how many filters the shelves take; those that two groups share count twice, on the safe side."""
    return sum(map(len, shelves))


def _by_group(before: Sequence[Filter]) -> Mapping[object, list[Filter]]:
    found: dict[object, list[Filter]] = {}
    for group, filters in groupby(before, attrgetter("group")):  # a hash of each one's group would take long
        found.setdefault(group, []).extend(filters)
    return found


def _measured(demand: Demand, length: int) -> tuple[Collection[Clause], list[Waiting]]:
    """Separate the clauses that fit into a filter from those that are too long for one."""
    around = len(filter_text([], demand.suffix)) - len(OR)
    sizes = demand.sizes
    if max(sizes.values(), default=0) + around <= length:
        return demand.clauses, []
    fitting: list[Clause] = []
    too_long: list[Waiting] = []
    for clause in demand.clauses:
        size = sizes[clause] + around
        if size <= length:
            fitting.append(clause)
        else:
            too_long.append(Waiting(demand.group, clause, _too_long(clause, size, length), fits=False))
    return fitting, too_long


def _too_long(clause: Clause, size: int, length: int) -> str:
    pieces = str(clause).count(OR) + 1
    if isinstance(clause, FollowClause) or pieces == 1:
        return f"it takes {size} characters, and a filter may have {length}"
    return (
        f"the box takes {pieces} tiles of {size} characters in all, and a filter may have {length}: {SMALLER}"
    )


def _make_room(shelves: Sequence[Shelf], usable: int) -> None:
    """Pack, those of the largest groups first, until there is room or nothing left to pack."""
    for shelf in shelves:
        shelf.pack(used(shelves) - usable)
    while (excess := used(shelves) - usable) > 0 and _merged(shelves, excess):
        pass


def _merged(shelves: Sequence[Shelf], most: int) -> int:
    return sum(shelf.merge(most) for shelf in shelves)


def _leave_out(shelves: Sequence[Shelf], allowance: Allowance) -> list[Waiting]:
    """Remove filters that have no room: new ones first, those of the smallest groups first."""
    reason = f"the app's filters are full: {allowance.usable} of {allowance.filters}, the rest is for changes"
    waiting: list[Waiting] = []
    for new in (True, False):
        for shelf in reversed(shelves):
            while (excess := used(shelves) - allowance.usable) > 0:
                left_out = shelf.take_away(excess, new=new)
                if not left_out:
                    break
                waiting += [Waiting(shelf.demand.group, clause, reason) for clause in left_out]
    return waiting


def _loosen(shelves: Sequence[Shelf], usable: int) -> None:
    """Use the room that a change left, with at most one step per changed clause: no change starts a flood."""
    steps = sum(shelf.changed for shelf in shelves)
    for shelf in shelves:
        steps -= shelf.merge(steps)
    free = usable - used(shelves)
    for shelf in shelves:
        done = shelf.unpack(min(steps // 2, free))
        steps -= 2 * done
        free -= done
