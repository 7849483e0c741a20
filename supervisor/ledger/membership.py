"""Which rules are where: what is not as it was at the last look."""

from __future__ import annotations

from collections.abc import Iterable, KeysView, Sequence

from traptor.common.rules.rule import Rule
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.ledger.records import NOTHING, Carried, Placement


class Membership:
    """The places as last looked at: connections, and groups. Those of a predecessor are looked at anew."""

    def __init__(self, places: Iterable[str]) -> None:
        self._fingerprints: dict[str, str | None] = dict.fromkeys(places)

    @property
    def places(self) -> KeysView[str]:
        """Where there are rules, or were at the last look."""
        return self._fingerprints.keys()

    def look(self, place: str, fingerprint: str, rules: Sequence[Rule], at: float) -> list[Placement]:
        """These rules are there, at a Unix time: what there is to write down."""
        if self._fingerprints.get(place) == fingerprint:
            return []
        self._fingerprints[place] = fingerprint
        return [Placement(place, rules, at)]

    def empty(self, place: str, at: float) -> list[Placement]:
        """Nothing is there any more."""
        del self._fingerprints[place]
        return [Placement(place, (), at)]


def carried_by(c: Connection) -> tuple[Carried, Sequence[Rule]]:
    """What its stream carries; without one, what it is to carry: it waits for a key with these."""
    streaming = [g for g in c.generations if g.streaming_since is not None]
    if streaming:
        newest = max(streaming, key=lambda g: g.birth.generation)
        return Carried(newest.spec.rules, len(newest.birth.rules)), newest.birth.rules
    if c.wanted is not None:
        return Carried(c.wanted.spec.rules, len(c.wanted.rules)), c.wanted.rules
    return NOTHING, ()
