"""Which keys changed, through events or through time alone, until each reader has taken note. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from traptor.common.timing.moments import Moments


@dataclass(frozen=True, slots=True)
class PoolNews:
    """The connections affected by changes of keys since the last call.

    `holders` have leases of keys that changed. `is_relief`: a connection waiting for a key may find one now.
    """

    holders: frozenset[str] = frozenset()
    is_relief: bool = False


class News:
    """Three readers take note of changes: the steps of connections, the timer, and the choice of a key."""

    def __init__(self) -> None:
        self._untold: set[str] = set()  # no step has looked at their holders
        self._untimed: set[str] = set()  # their next change by time alone must be worked out again
        self._unranked: set[str] = set()  # so must their rank
        self.number = 0  # counts up with every change but those by time alone
        self._is_relief = False
        self._changes_at = Moments()  # the next change of each key by time alone
        self._trial_due: float | None = None

    # ---- what happens

    def used(self, key_id: str) -> None:
        """Note that a key has less to give now: no news for anybody who waits."""
        self.number += 1
        self._untimed.add(key_id)
        self._unranked.add(key_id)

    def changed(self, key_id: str) -> None:
        """Note that a key changed."""
        self._untold.add(key_id)
        self.used(key_id)

    def all_changed(self, key_ids: Iterable[str]) -> None:
        """Note that the keys or their limits are others now; these are all that there are."""
        for key_id in key_ids:
            self.changed(key_id)
        self._changes_at.clear()
        self._is_relief = True

    def relieved(self) -> None:
        """Note that a connection waiting for a key may find one now."""
        self._is_relief = True

    def trial_due(self, at: float | None) -> None:
        """Note when the next move off a failed key is due; None: at any time."""
        self._trial_due = at

    # ---- the readers

    def take_untold(self, now: float) -> tuple[frozenset[str], bool]:
        """Return the keys that changed since the last call, and whether there is relief."""
        self._pass_time(now)
        untold, is_relief = frozenset(self._untold), self._is_relief
        self._untold.clear()
        self._is_relief = False
        return untold, is_relief

    def take_unranked(self) -> list[str]:
        """Return the keys whose rank must be worked out again."""
        return _taken(self._unranked)

    def take_untimed(self, now: float) -> list[str]:
        """Return the keys of which `changes_at` must be told again."""
        self._pass_time(now)
        return _taken(self._untimed)

    def changes_at(self, key_id: str, at: float | None) -> None:
        """Note when a key next changes by time alone; None: never."""
        self._changes_at.set(key_id, at)

    @property
    def next_change(self) -> float | None:
        """The time of the next change by time alone; None: never."""
        times = (self._changes_at.earliest, self._trial_due)
        return min((at for at in times if at is not None), default=None)

    def _pass_time(self, now: float) -> None:
        """Note which keys have changed through the passing of time."""
        for key_id in self._changes_at.take(now):
            self._is_relief = True
            self.changed(key_id)
        if self._trial_due is not None and self._trial_due <= now:
            self._is_relief = True
            self._trial_due = None


def _taken(key_ids: set[str]) -> list[str]:
    taken = list(key_ids)
    key_ids.clear()
    return taken
