"""The rules that the demo puts into Redis, and that its sandbox makes tweets for."""

from __future__ import annotations

import time

from trial.rules import Rule, Value, changed_track_rules, follow_rules, track_rules
from trial.servers import Servers

CHANGED_GROUP = "track:0"


class Rulebook:
    """The example's rules, and the history of the rules in Redis."""

    def __init__(self, servers: Servers, seed: int) -> None:
        self._servers = servers
        self._follow = follow_rules(seed)
        self._track: list[Rule] = []
        self.history: list[tuple[float, frozenset[Value]]] = []

    @property
    def track_rules(self) -> int:
        """The number of track rules in Redis."""
        return len(self._track)

    @property
    def follow_rules(self) -> int:
        """The number of follow rules in Redis."""
        return len(self._follow)

    def load(self) -> None:
        """Put all rules into Redis, and have tweets made for them."""
        self._track = track_rules()
        self._servers.put([*self._follow, *self._track])
        self._note_rules()
        self._make_tweets_for(self._track)

    def change_track_rules(self) -> int:
        """Replace some track rules, announce it on the channel, and return their number.

        No tweet is made for a rule while it is added or removed, so that the judge need not guess the order.
        """
        old, new = self._track, changed_track_rules(self._track)
        added, removed = set(new) - set(old), set(old) - set(new)
        self._make_tweets_for([rule for rule in new if rule not in added])
        self._servers.put(added, removed)
        self._track = new
        self._note_rules()
        self._make_tweets_for(new)
        self._servers.hint(CHANGED_GROUP)
        return len(added)

    def _note_rules(self) -> None:
        self.history.append((time.monotonic(), frozenset(self._values(self._track))))

    def _make_tweets_for(self, track: list[Rule]) -> None:
        self._servers.sandbox.set_rules(self._values(track))

    def _values(self, track: list[Rule]) -> list[Value]:
        return [value for rule in (*self._follow, *track) for value in rule.values()]
