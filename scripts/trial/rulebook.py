"""Rules of a long trial: four groups, five connections, and changes that never bring an old rule back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from trial.rules import Rule, Value, follow_rules, track_rules
from trial.servers import Servers

CONNECTIONS = frozenset({"follow:0", "follow:0.2", "track:0", "track:1", "locations:0"})
GROUPS = ("follow:0", "track:0", "track:1", "locations:0")
_CHANGING = 4  # rules of each group that a change removes, and as many that it adds
_TRACKED = 100  # in track:1
_BOXES = 12
_FIRST_NEW_USER = 2 * 10**18
_COLUMNS, _WEST, _SOUTH = 170, -170, -80  # boxes of one degree, with one degree of sea between them


class Rulebook:
    """The rules in Redis now, and their history; `most` limits the steady ones of each group."""

    def __init__(self, servers: Servers, seed: int, most: int | None = None) -> None:
        self._servers = servers
        self._serial = 0
        steady = {
            "follow:0": follow_rules(seed),
            "track:0": track_rules()[:-_CHANGING],
            "track:1": self._make("track:1", _TRACKED),
            "locations:0": self._make("locations:0", _BOXES),
        }
        self._steady: list[Rule] = [rule for rules in steady.values() for rule in rules[:most]]
        self._changing = {group: self._make(group, _CHANGING) for group in GROUPS}
        self.history: list[tuple[float, frozenset[Value]]] = []

    def load(self) -> None:
        """Put all rules into Redis, and have tweets made for them."""
        self._servers.put(self._all())
        self._note()
        self._make_tweets_for(self._all())

    @property
    def steady(self) -> frozenset[Value]:
        """The values of the rules that are never changed."""
        return frozenset(_values(self._steady))

    def change(self, group: str) -> None:
        """Replace some rules of a group without announcing it.

        No tweet is made for a rule while it is added or removed, so that the judge need not guess the order.
        """
        old = self._changing.pop(group)
        self._make_tweets_for(self._all())
        self._changing[group] = self._make(group, _CHANGING)
        self._servers.put(self._changing[group], old)
        self._note()
        self._make_tweets_for(self._all())

    def hint(self, group: str) -> None:
        """Announce on the channel that a group's rules changed."""
        self._servers.hint(group)

    def _all(self) -> list[Rule]:
        return [*self._steady, *(rule for rules in self._changing.values() for rule in rules)]

    def _make(self, group: str, count: int) -> list[Rule]:
        self._serial += count
        numbers = range(self._serial - count, self._serial)
        value = _VALUES[group.partition(":")[0]]
        return [Rule(group, f"new-{n}", value(n), f"tag {n}", "keyword", "of a trial") for n in numbers]

    def _note(self) -> None:
        self.history.append((time.monotonic(), frozenset(_values(self._all()))))

    def _make_tweets_for(self, rules: Sequence[Rule]) -> None:
        self._servers.sandbox.set_rules(_values(rules))


def _values(rules: Sequence[Rule]) -> list[Value]:
    return [value for rule in rules for value in rule.values()]


def _box(number: int) -> str:
    west, south = _WEST + 2 * (number % _COLUMNS), _SOUTH + 2 * (number // _COLUMNS)
    return f"{west}.0,{south}.0,{west + 1}.0,{south + 1}.0"


_VALUES: dict[str, Callable[[int], str]] = {
    "follow": lambda number: str(_FIRST_NEW_USER + number),
    "track": lambda number: f"changed{number} valley,reopened{number}",
    "locations": _box,
}
