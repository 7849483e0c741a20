"""Derive one assignment of rules to parts from the previous one, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from traptor.common.placement.assignment import Assignment, Values
from traptor.common.placement.packing import Packing

_Choice = Callable[[Values], int | None]
_FULL_AFTER_SHRINK = 0.9  # of the room in the other parts, when the highest part is dropped


class Draft:
    """An assignment in the making; each public method is one step, called in the order of the class.

    A rule counts on the part where it belongs, and also on every part where it still streams. Nothing is
    placed where the total would exceed the limit, so each part can carry its new rules together with those
    that have yet to leave.
    """

    def __init__(
        self,
        values: Mapping[str, Values],
        limit: int,
        old: Assignment,
        streaming: Mapping[int, AbstractSet[str]],
    ) -> None:
        self._values = values
        self._old_values = old.values
        self._streaming = streaming
        self._packing = Packing(limit)
        self._homeless: dict[str, int] = {}  # rule -> the part it had to leave
        self.parts = {key: part for key, part in old.parts.items() if key in values}
        self.guests: dict[str, set[int]] = {}  # rule -> the other parts where it still streams
        for part, keys in old.members.items():
            if staying := [old.values[key] for key in keys if key in values]:
                self._packing.fill(part, staying)
        for part, streams in streaming.items():
            self._add_guests(part, streams - old.members.get(part, frozenset()))

    def apply_changes(self) -> None:
        """Give changed rules their new values, small growth first; those that outgrow their part lose it."""
        old_values = self._old_values
        changed = [key for key in self.parts if self._values[key] != old_values[key]]
        for key in sorted(changed, key=lambda key: (len(self._values[key]) - len(old_values[key]), key)):
            self._apply_change(key)

    def shed(self) -> None:
        """Take rules off a part until the rest fits a lowered limit, the streaming ones last."""
        for key in self.guests.keys() & self.parts.keys():
            self._expel(key)
        for part in [part for part in self._packing.owned if self._packing.is_over(part)]:
            self._shed_from(part)

    def recall(self) -> None:
        """Return rules to their part that can stay after all, now that others have to leave it."""
        for key, part in list(self._homeless.items()):
            streams_elsewhere = self.guests.get(key, set()) - {part}
            if not streams_elsewhere and self._packing.fits_later(part, self._values[key]):
                self._recall(key)

    def place(self) -> None:
        """Assign a part to each rule without one: first those that had to leave theirs, then new ones."""
        for key in sorted(self._homeless):
            self._seat(key, self._place_for(key))
        for key in sorted(key for key in self._values if key not in self.parts):
            self._seat(key, self._place_for(key))

    def shrink(self) -> None:
        """Empty the highest part while the others would be at most 90 % full with its rules."""
        while self._dissolve_highest():
            pass

    # ---- steps of the steps

    def _add_guests(self, part: int, keys: AbstractSet[str]) -> None:
        for key in keys & self._values.keys():
            self.guests.setdefault(key, set()).add(part)
            self._packing.add(part, self._old_values.get(key, self._values[key]))

    def _apply_change(self, key: str) -> None:
        part, old, new = self.parts[key], self._old_values[key], self._values[key]
        for place in (part, *self.guests.get(key, ())):
            self._packing.remove(place, old)
            self._packing.add(place, new)
        if set(new) <= set(old) or not self._packing.is_over(part):
            return
        if key in self.guests or not self._packing.fits_later(part, new):
            self._expel(key)

    def _shed_from(self, part: int) -> None:
        streaming = self._streaming.get(part, frozenset())
        kept: set[str] = set()
        for key in sorted(self._keys_of(part), key=lambda key: (key not in streaming, key)):
            together = kept.union(self._values[key])
            if len(together) <= self._packing.limit:
                kept = together
            else:
                self._expel(key)

    def _place_for(self, key: str) -> int:
        values, packing = self._values[key], self._packing
        if len(values) > packing.limit:
            raise ValueError(f"rule {key} has {len(values)} values; a part carries {packing.limit}")
        old_part = self._homeless.get(key)
        if old_part is not None and packing.fits(old_part, values):
            return old_part
        return packing.find_used(values) or packing.find_free(values)

    def _dissolve_highest(self) -> bool:
        packing = self._packing
        highest = max(packing.owned, default=1)
        others = [part for part in packing.owned if part != highest]
        if others:
            room = int(packing.limit * len(others) * _FULL_AFTER_SHRINK)
            choose: _Choice = packing.find_used
        elif highest != 1:  # rules that fit into one part belong in part 1, which has the group's own name
            others, room, choose = [1], packing.limit, self._first_part
        else:
            return False
        if self._total(others) + packing.only_in(highest) > room:
            return False
        return self._vacate(highest, choose, lambda: self._total(others) <= room)

    def _vacate(self, part: int, choose: _Choice, is_good: Callable[[], bool]) -> bool:
        """Move all rules of a part to where `choose` says; undo it all when one finds no place."""
        keys = sorted(self._keys_of(part))
        for key in keys:
            self._leave(key)
        for key in keys:
            target = choose(self._values[key])
            if target is None:
                break
            self._seat(key, target)
        else:
            if is_good():
                return True
        for key in keys:
            if key in self.parts:
                self._leave(key)
            self._seat(key, part)
        return False

    def _first_part(self, values: Values) -> int | None:
        return 1 if self._packing.fits(1, values) else None

    def _total(self, parts: list[int]) -> int:
        return sum(map(self._packing.size, parts))

    def _keys_of(self, part: int) -> list[str]:
        return [key for key, own_part in self.parts.items() if own_part == part]

    def _expel(self, key: str) -> None:
        part = self._homeless[key] = self._leave(key)
        if part in self.guests.get(key, ()):
            self._packing.mark_leaving(part, self._values[key])

    def _recall(self, key: str) -> None:
        part = self._homeless.pop(key)
        if part in self.guests.get(key, ()):
            self._packing.mark_staying(part, self._values[key])
        self._seat(key, part)

    def _leave(self, key: str) -> int:
        """Take a rule off its part; while it still streams there, its values stay counted."""
        part = self.parts.pop(key)
        self._packing.disown(part)
        if key in self._streaming.get(part, ()):
            self.guests.setdefault(key, set()).add(part)
        else:
            self._packing.remove(part, self._values[key])
        return part

    def _seat(self, key: str, part: int) -> None:
        self.parts[key] = part
        self._packing.own(part)
        hosts = self.guests.get(key, set())
        if part not in hosts:
            self._packing.add(part, self._values[key])
        elif len(hosts) > 1:
            hosts.remove(part)
        else:
            del self.guests[key]
