"""Track how full the parts of a group are while its rules are being placed."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from traptor.common.placement.assignment import Values


class Packing:
    """Counts, for each part, the rules behind each value; rules that share a value load a part once.

    A rule counts on a part when it belongs there, and also while it still streams there. `owned` is the
    number of rules that belong to each part; only parts with rules of their own are used.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.owned: dict[int, int] = {}
        self._highest = 0
        self._loads: dict[int, dict[str, int]] = {}
        # the load without leaving rules, for parts that have any
        self._staying: dict[int, dict[str, int]] = {}
        self._where: dict[str, tuple[int, ...]] = {}
        # By number of values: no used part below this one has room for them. Room only shrinks while rules
        # are placed, so a search can continue where the last one ended.
        self._lowest: dict[int, int] = {}

    def fill(self, part: int, rules: Collection[Values]) -> None:
        """Add all the rules that belong to a part, which must be empty."""
        load: dict[str, int] = {}
        for values in rules:
            for value in values:
                load[value] = load.get(value, 0) + 1
        where, here = self._where, (part,)
        for value in load:
            where[value] = (*where[value], part) if value in where else here
        self._loads[part] = load
        self.owned[part] = len(rules)
        self._highest = max(self._highest, part)

    def add(self, part: int, values: Values) -> None:
        """Count a rule's values on a part."""
        for value in _count_up(self._loads.setdefault(part, {}), values):
            self._where[value] = (*self._where.get(value, ()), part)
        if part in self._staying:
            _count_up(self._staying[part], values)

    def remove(self, part: int, values: Values) -> None:
        """Remove a rule's values from a part."""
        self._lowest.clear()
        for value in _count_down(self._loads[part], values):
            others = tuple(other for other in self._where[value] if other != part)
            if others:
                self._where[value] = others
            else:
                del self._where[value]
        if part in self._staying:
            _count_down(self._staying[part], values)

    def size(self, part: int) -> int:
        """Return the number of distinct values on a part."""
        return len(self._loads.get(part, ()))

    def is_over(self, part: int) -> bool:
        """Tell whether a part has more distinct values than a connection may carry."""
        return self.size(part) > self.limit

    def mark_leaving(self, part: int, values: Values) -> None:
        """Record that a rule on the part is about to leave it."""
        if part not in self._staying:
            self._staying[part] = dict(self._loads[part])
        _count_down(self._staying[part], values)

    def mark_staying(self, part: int, values: Values) -> None:
        """Record that a rule stays on the part after all."""
        _count_up(self._staying[part], values)

    def fits_later(self, part: int, values: Values) -> bool:
        """Tell whether the part is within the limit with these values once leaving rules have left."""
        staying = self._staying.get(part, self._loads.get(part, {}))
        return len(staying) + sum(value not in staying for value in values) <= self.limit

    def fits(self, part: int, values: Values) -> bool:
        """Tell whether the part stays within the limit with these values added."""
        return self.size(part) + self.added(part, values) <= self.limit

    def added(self, part: int, values: Values) -> int:
        """Return how many distinct values the part would gain."""
        load: Mapping[str, int] = self._loads.get(part, {})
        return sum(value not in load for value in values)

    def only_in(self, part: int) -> int:
        """Return how many values the part has that no other has."""
        return sum(self._where[value] == (part,) for value in self._loads.get(part, ()))

    def own(self, part: int) -> None:
        """Count one more rule that belongs to the part."""
        if part not in self.owned:
            for count, lowest in self._lowest.items():
                self._lowest[count] = min(lowest, part)
            self._highest = max(self._highest, part)
        self.owned[part] = self.owned.get(part, 0) + 1

    def disown(self, part: int) -> None:
        """Count one rule less; with none left the part is no longer used."""
        self.owned[part] -= 1
        if not self.owned[part]:
            del self.owned[part]
            self._highest = max(self.owned, default=0)

    def find_used(self, values: Values) -> int | None:
        """Return the used part with room that shares most of the values, else the lowest one with room."""
        shared = self._sharing(values)
        for part in sorted(shared, key=lambda part: (-shared[part], part)):
            if self.fits(part, values):
                return part
        return self._lowest_with_room(len(values))

    def find_free(self, values: Values) -> int:
        """Return the lowest number for a new part, skipping connections that still carry too much."""
        part = 1
        while part in self.owned or not self.fits(part, values):
            part += 1
        return part

    def _sharing(self, values: Values) -> dict[int, int]:
        """Return the used parts that have any of the values, and how many of them."""
        counts: dict[int, int] = {}
        for value in values:
            for part in self._where.get(value, ()):
                if part in self.owned:
                    counts[part] = counts.get(part, 0) + 1
        return counts

    def _lowest_with_room(self, count: int) -> int | None:
        part = self._lowest.get(count, 1)
        while part <= self._highest and not (part in self.owned and self.size(part) + count <= self.limit):
            part += 1
        self._lowest[count] = part
        return part if part <= self._highest else None


def _count_up(load: dict[str, int], values: Values) -> list[str]:
    """Count one more rule behind each value and return the values that are new to the load."""
    new = [value for value in values if value not in load]
    for value in values:
        load[value] = load.get(value, 0) + 1
    return new


def _count_down(load: dict[str, int], values: Values) -> list[str]:
    """Count one rule less behind each value and return the values that are gone from the load."""
    for value in values:
        load[value] -= 1
    gone = [value for value in values if not load[value]]
    for value in gone:
        del load[value]
    return gone
