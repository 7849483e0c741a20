"""Outboxes that nobody delivers: of generations that died, where no other of their connection comes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from traptor.common.outboxes import ownerless
from traptor.common.rules import GroupId


class Leftovers:
    """Looks for them now and then; what is there in two looks in a row is to have a drain worker.

    In between a connection's next generation may come, which takes over what was left by itself.
    """

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._seen: frozenset[str] = frozenset()
        self.due: frozenset[str] = frozenset()

    def look(self, served: Collection[str]) -> bool:
        """Look again; `served` are the connections with a generation. Whether a drain worker is due."""
        found = frozenset(name for name in ownerless(self._state_dir) if name not in served)
        self.due, self._seen = found & self._seen, found
        return bool(self.due)

    def taken_care_of(self, connection: str) -> None:
        """A drain worker was started: the connection is due again after two more looks at the earliest."""
        self.due -= {connection}
        self._seen -= {connection}


def parse_connection(name: str) -> tuple[GroupId, int]:
    """Group and part of a connection's name: `follow:0.2`. Raises ValueError when it is none."""
    group, _, part = name.partition(".")
    return GroupId.parse(group), int(part or 1)
