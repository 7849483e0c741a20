"""What goes into the ledger's file, and what comes back out of it at the next start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from traptor.common.rules import Rule
from traptor.supervisor.gaps.interval import Instant, Interval, IntervalKind, Standing, Totals
from traptor.supervisor.ledger.entry import Carried, Entry

KNOWN = "known:"  # with a group behind it: the place of all rules that the group had, carried or not


@dataclass(frozen=True, slots=True)
class Placement:
    """From a Unix time on exactly these rules are in a place: a connection, or what KNOWN and a group make.

    Who joined and who left is found out where it is written, as that takes long for 100,000 rules.
    """

    place: str
    rules: Sequence[Rule] = field(repr=False)
    at: float


@dataclass(frozen=True, slots=True)
class Account:
    """A connection as the ledger last knew it. `safe` is up to when what its streams brought is safe."""

    connection: str
    began: Instant
    standing: Standing
    safe: Instant
    carried: Carried

    def open_interval(self, now: Instant) -> Interval:
        """What it is in, until now."""
        standing = self.standing
        cause = standing.cause if standing.kind is IntervalKind.GAP else None
        return Interval(self.connection, standing.kind, cause, standing.open_from, now, standing.generation)


@dataclass(frozen=True, slots=True)
class Batch:
    """What is written in one transaction; written twice it is the same as once."""

    noted: Instant
    boot: str
    is_clean: bool = False  # the master ended in order
    forgotten: Sequence[str] = ()  # connections of which nothing is to stay; before all else
    entries: Sequence[Entry] = ()
    placements: Sequence[Placement] = ()
    accounts: Sequence[Account] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """What a predecessor left. Instants are those of its boot."""

    noted: Instant
    boot: str
    is_clean: bool
    last_id: int
    accounts: Sequence[Account]
    totals: Mapping[str, Totals] = field(default_factory=dict)  # by connection
    places: Sequence[str] = ()  # where there are rules
