"""Which rules are where, with time: what changed since the last look becomes stays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from traptor.common.rules import Rule
from traptor.supervisor.connection import Connection
from traptor.supervisor.ledgerbatch import Stay
from traptor.supervisor.ledgerentry import Carried


class Membership:
    """The rules of each place as last looked at: of each connection, and of each group."""

    def __init__(self, places: Mapping[str, Mapping[str, str]]) -> None:
        self._keys = {place: dict(rules) for place, rules in places.items()}  # rule ids by key
        self._fingerprints: dict[str, str] = {}

    @property
    def places(self) -> tuple[str, ...]:
        """Where there are rules."""
        return tuple(self._keys)

    def changed(self, place: str, fingerprint: str, rules: Iterable[Rule], at: float) -> Iterator[Stay]:
        """These rules are there now, at a Unix time: who joined, and who left."""
        if self._fingerprints.get(place) == fingerprint:
            return
        old, new = self._keys.get(place, {}), {rule.key: rule.rule_id for rule in rules}
        self._keys[place], self._fingerprints[place] = new, fingerprint
        yield from (Stay(key, old[key], place, at, joined=False) for key in old.keys() - new.keys())
        yield from (Stay(key, new[key], place, at, joined=True) for key in new.keys() - old.keys())

    def emptied(self, place: str, at: float) -> Iterator[Stay]:
        """Nothing is there any more."""
        yield from self.changed(place, "", (), at)
        del self._keys[place], self._fingerprints[place]


def carried_by(c: Connection) -> tuple[Carried, tuple[Rule, ...]]:
    """What its stream carries; without one, what it is to carry: it waits for a key with these."""
    streaming = [g for g in c.generations if g.streaming_since is not None]
    if streaming:
        newest = max(streaming, key=lambda g: g.birth.generation)
        return Carried(newest.spec.rules, len(newest.birth.rules)), newest.birth.rules
    if c.wanted is not None:
        return Carried(c.wanted.spec.rules, len(c.wanted.rules)), c.wanted.rules
    return Carried(), ()
