"""Track which rules each place carries and report changes since the last check."""

from __future__ import annotations

from collections.abc import Iterable, KeysView, Sequence

from traptor.common.rules.rule import Rule
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.ledger.records import NOTHING, Carried, Placement


class Membership:
    """The places as last checked: connections, and groups. Those of a predecessor are checked afresh."""

    def __init__(self, places: Iterable[str]) -> None:
        self._fingerprints: dict[str, str | None] = dict.fromkeys(places)
        self._rules: dict[str, Sequence[Rule]] = {}  # shared with whoever holds them, but for what changed

    @property
    def places(self) -> KeysView[str]:
        """The places with rules, now or at the last check."""
        return self._fingerprints.keys()

    def look(self, place: str, fingerprint: str, rules: Sequence[Rule], at: float) -> list[Placement]:
        """Record which rules are there at a Unix time and return the changes to write down."""
        if self._fingerprints.get(place) == fingerprint:
            return []
        before = self._rules.get(place)
        self._fingerprints[place], self._rules[place] = fingerprint, rules
        return [Placement(place, rules, at, before)]

    def empty(self, place: str, at: float) -> list[Placement]:
        """Record that nothing is there any more and return the changes to write down."""
        del self._fingerprints[place]
        return [Placement(place, (), at, self._rules.pop(place, None))]


def is_told(c: Connection) -> bool:
    """Tell whether it is known what the connection carries: its app may not have told yet (v2)."""
    return c.app is None or c.in_effect is not None or not c.is_planned


def carried_by(c: Connection) -> tuple[Carried, Sequence[Rule]]:
    """Return what its stream carries; without a stream, the rules for which it waits for a key.

    The connection of an app carries the rules whose filters are in effect, whether or not it streams (v2).
    """
    if c.app is not None:
        found = c.in_effect if c.is_planned else None
        return (NOTHING, ()) if found is None else (Carried(found.fingerprint, len(found.rules)), found.rules)
    streaming = [g for g in c.generations if g.streaming_since is not None]
    if streaming:
        newest = max(streaming, key=lambda g: g.birth.generation)
        return Carried(newest.spec.rules, len(newest.birth.rules)), newest.birth.rules
    if c.wanted is not None:
        return Carried(c.wanted.spec.rules, len(c.wanted.rules)), c.wanted.rules
    return NOTHING, ()


def named_in_entries(c: Connection) -> Carried:
    """Return the rules that its intervals name: what it carries, and without a stream what it waits with."""
    carried, _ = carried_by(c)
    if carried.count or c.streams or c.wanted is None:
        return carried
    return Carried(c.wanted.spec.rules, len(c.wanted.rules))
