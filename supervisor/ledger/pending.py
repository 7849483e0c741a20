"""The part of the ledger that is not on disk yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import TypeVar

from traptor.supervisor.ledger.records import Entry, LastKnown, Placement, Unwritten

T = TypeVar("T")


class Pending:
    """Keeps what happened until a batch with it is written; what was never written comes again."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._placements: list[Placement] = []
        self._forgotten: list[str] = []
        self._written: dict[str, LastKnown] = {}
        self._changed: set[str] = set()  # connections whose accounts may differ from what is written

    def __len__(self) -> int:
        return len(self._entries) + len(self._placements)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Completed intervals that are perhaps not on disk yet."""
        return tuple(self._entries)

    @property
    def placements(self) -> tuple[Placement, ...]:
        """Where rules are, as far as it is perhaps not on disk yet."""
        return tuple(self._placements)

    @property
    def forgotten(self) -> tuple[str, ...]:
        """The connections to delete."""
        return tuple(self._forgotten)

    # ---- what happens

    def completed(self, entry: Entry) -> None:
        """Note a completed interval."""
        self._entries.append(entry)

    def placed(self, placements: Iterable[Placement]) -> None:
        """Note where rules are now."""
        self._placements += placements

    def changed(self, names: Iterable[str]) -> None:
        """Note that the accounts of these connections may be others now."""
        self._changed.update(names)

    def forget(self, name: str) -> None:
        """Note that a connection is to be deleted."""
        self._written.pop(name, None)
        self._forgotten.append(name)

    # ---- a batch

    def take_changed(self) -> Set[str]:
        """Return the connections whose accounts may differ from what is written, each once."""
        changed, self._changed = self._changed, set()
        return changed

    def differing(self, accounts: Iterable[LastKnown]) -> list[LastKnown]:
        """Return those of the accounts that differ from what is written."""
        return [account for account in accounts if self._written.get(account.connection) != account]

    def written(self, batch: Unwritten) -> None:
        """Record that the batch is on disk now."""
        del self._forgotten[: len(batch.forgotten)]
        self._entries = _without(batch.entries, self._entries)
        self._placements = _without(batch.placements, self._placements)
        self._written.update((account.connection, account) for account in batch.accounts)


def _without(written: Sequence[T], items: list[T]) -> list[T]:
    """Return the items but these very ones: what came since they were taken stays."""
    dropped = set(map(id, written))
    return [item for item in items if id(item) not in dropped]
