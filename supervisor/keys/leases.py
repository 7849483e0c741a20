"""Keep account of the slots of keys that are lent out."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to hold one HTTP connection with a key; a higher serial was lent later."""

    key_id: str
    holder: str
    serial: int


class LeaseBook:
    """All outstanding leases."""

    def __init__(self) -> None:
        self._last_serial = 0
        self._by_key: dict[str, list[Lease]] = {}  # in the order of lending
        self._by_holder: dict[str, list[Lease]] = {}

    def lend(self, key_id: str, holder: str) -> Lease:
        """Record a new lease."""
        self._last_serial += 1
        lease = Lease(key_id, holder, self._last_serial)
        self._by_key.setdefault(key_id, []).append(lease)
        self._by_holder.setdefault(holder, []).append(lease)
        return lease

    def give_back(self, lease: Lease) -> bool:
        """Remove a lease; return False when it was not outstanding (returning it twice is harmless)."""
        if lease not in self._by_key.get(lease.key_id, []):
            return False
        for book, name in ((self._by_key, lease.key_id), (self._by_holder, lease.holder)):
            book[name].remove(lease)
            if not book[name]:
                del book[name]
        return True

    @property
    def lent(self) -> Set[str]:
        """The keys of which slots are lent."""
        return self._by_key.keys()

    def of(self, key_id: str) -> tuple[Lease, ...]:
        """Return the leases of one key, oldest first."""
        return tuple(self._by_key.get(key_id, ()))

    def held_by(self, holder: str) -> tuple[Lease, ...]:
        """Return the leases of one holder, oldest first."""
        return tuple(self._by_holder.get(holder, ()))
