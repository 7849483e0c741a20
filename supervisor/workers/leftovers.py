"""Find outboxes that nothing delivers: of dead generations whose connection gets no other."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from traptor.common.files.outboxes import Left, ownerless
from traptor.common.rules.rule import GroupId
from traptor.common.timing.backoff import doubled

_APP = "v2:"
_SECOND = ".2"
_FIRST_PAUSE_S = 10.0
_LONGEST_PAUSE_S = 600.0


class Leftovers:
    """Looks for them periodically; what two looks in a row find should get a drain worker.

    In between, a connection's next generation may come, which takes over the messages by itself. What a drain
    worker leaves (it cannot be read, or the output cannot be used) waits longer each time.
    """

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._seen: frozenset[str] = frozenset()
        self._tries: dict[str, tuple[int, float]] = {}  # vain drain workers, and when the next is due
        self.due: frozenset[str] = frozenset()
        self.found: Mapping[str, Left] = {}  # undelivered messages that no process has, by connection

    def look(self, served: Collection[str], now: float) -> bool:
        """Look again, and tell whether a drain worker is due; `served` are connections with a generation."""
        self.found = found = ownerless(self._state_dir)
        self._tries = {name: tried for name, tried in self._tries.items() if name in found or name in served}
        left = frozenset(found) - frozenset(served)
        self.due = frozenset(name for name in left & self._seen if self._not_before(name) <= now)
        self._seen = left
        return bool(self.due)

    def taken_care_of(self, connection: str, now: float) -> None:
        """Record that a drain worker was started."""
        tries = self._tries.get(connection, (0, 0.0))[0]
        self._tries[connection] = tries + 1, now + doubled(_FIRST_PAUSE_S, tries, _LONGEST_PAUSE_S)
        self.due -= {connection}
        self.found = {name: left for name, left in self.found.items() if name != connection}

    @property
    def tries(self) -> Mapping[str, tuple[int, float]]:
        """The drain workers that did not deliver all, and when the next is due; one may be at it now."""
        return self._tries

    def _not_before(self, name: str) -> float:
        return self._tries.get(name, (0, 0.0))[1]


def app_connection(key_name: str) -> str:
    """Return the name of the connection of an app (v2): `v2:first`."""
    return f"{_APP}{key_name}"


def second_connection(name: str) -> str:
    """Return the name of the second connection of an app, whose first has this name: `v2:first.2`."""
    return f"{name}{_SECOND}"


def app_connections(key_name: str, most: int) -> list[str]:
    """Return the names of an app's connections: one, or where it may have more, the two that are used."""
    first = app_connection(key_name)
    return [first] if most == 1 else [first, second_connection(first)]


def is_app_connection(name: str) -> bool:
    """Tell whether a connection is one of an app's (v2)."""
    return re.fullmatch(rf"{_APP}[A-Za-z0-9_-]+({re.escape(_SECOND)})?", name) is not None


def is_second(name: str) -> bool:
    """Tell whether a connection is the second one of an app (v2)."""
    return name.startswith(_APP) and name.endswith(_SECOND)


def first_of(name: str) -> str:
    """Return the name that an app's connections have in common, which is that of the first one."""
    return name.removesuffix(_SECOND) if is_second(name) else name


def other_connection(name: str) -> str:
    """Return the name of the other one of an app's two connections."""
    return first_of(name) if is_second(name) else second_connection(name)


def parse_connection(name: str) -> tuple[GroupId, int]:
    """Return group and part of a connection's name: `follow:0.2`. Raises ValueError for another form."""
    group, _, part = name.partition(".")
    return GroupId.parse(group), int(part or 1)
