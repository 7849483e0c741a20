"""What the ledger keeps: entries, as they are answered and mirrored, and what goes with them to the disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from traptor.common.rules.rule import Rule
from traptor.supervisor.gaps.interval import Instant, Interval, IntervalKind, Standing, Totals, iso

UNCARRIED = "uncarried"  # of a rule: it was known, and no connection carried it
KNOWN = "known:"  # with a group behind it: the place of all rules that the group had, carried or not


@dataclass(frozen=True, slots=True)
class Carried:
    """Which rules a connection carried: their fingerprint, and how many."""

    rules: str = ""
    count: int = 0


NOTHING = Carried()


@dataclass(frozen=True, slots=True)
class Entry:
    """An interval of a connection's life, with what the ledger knows of it.

    `kind` is one of IntervalKind, or UNCARRIED in answers about a rule; `limited` counts the tweets of which
    limit notices told in it. An open entry ends when it was asked for.
    """

    connection: str | None
    kind: str
    cause: str | None
    from_unix: float
    to_unix: float
    seconds: float
    generation: int | None = None
    carried: Carried = NOTHING
    limited: int = 0
    id: int = 0
    is_open: bool = False

    @classmethod
    def of(cls, interval: Interval, carried: Carried, limited: int, id_: int = 0) -> Entry:
        """The entry of a completed interval; without an id, of the open one."""
        return cls(
            interval.connection,
            interval.kind.value,
            interval.cause.value if interval.cause else None,
            interval.from_.wall,
            interval.to.wall,
            interval.seconds,
            interval.generation,
            carried,
            limited,
            id_,
            is_open=not id_,
        )

    @property
    def is_gap(self) -> bool:
        """Whether it tells of time without a stream."""
        return self.kind in (IntervalKind.GAP.value, UNCARRIED)

    def as_json(self) -> dict[str, Any]:
        """As people and programs read it."""
        return {
            "connection": self.connection,
            "kind": self.kind,
            "cause": self.cause,
            "from": iso(self.from_unix),
            "to": iso(self.to_unix),
            "from_unix": round(self.from_unix, 3),
            "to_unix": round(self.to_unix, 3),
            "seconds": round(self.seconds, 3),
            "generation": self.generation,
            "rules": self.carried.rules or None,
            "rule_count": self.carried.count,
            "limited": self.limited,
            "open": self.is_open,
        }


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
    """Hold a connection as the ledger last knew it; what it received until `safe_until` is safe."""

    connection: str
    began: Instant
    standing: Standing
    safe_until: Instant
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
