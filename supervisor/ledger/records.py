"""The ledger's records: entries as answered and mirrored, and what is written to disk with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from traptor.common.rules.rule import Rule
from traptor.supervisor.gaps.fill import Fill, FillCost, FillTold, FillTotal
from traptor.supervisor.gaps.interval import Instant, Interval, IntervalKind, TimelineState, Totals, iso

UNCARRIED = "uncarried"  # of a rule: known, but carried by no connection
KNOWN = "known:"  # prefix of a group's place, which holds all rules of the group, carried or not


@dataclass(frozen=True, slots=True)
class Carried:
    """The rules that a connection carried: their fingerprint, and their number."""

    rules: str = ""
    count: int = 0


NOTHING = Carried()


@dataclass(frozen=True, slots=True)
class Entry:
    """An interval of a connection's life, with what the ledger knows of it.

    `kind` is one of IntervalKind, or UNCARRIED in answers about a rule; `limited` counts the tweets reported
    as withheld by limit notices during it. An open entry ends at the time of the question.
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
    why: str = ""  # the reason of a gap as X named it

    @classmethod
    def of(cls, interval: Interval, carried: Carried, limited: int, id_: int = 0) -> Entry:
        """Return the entry of a completed interval; without an id, of the open one."""
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
            why=interval.why,
        )

    @property
    def is_gap(self) -> bool:
        """True when the entry is time without a stream."""
        return self.kind in (IntervalKind.GAP.value, UNCARRIED)

    def as_json(self) -> dict[str, Any]:
        """Return the entry as people and programs read it."""
        return {
            "connection": self.connection,
            "kind": self.kind,
            "cause": self.cause,
            "why": self.why or None,
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
    """From a Unix time on, exactly these rules are in a place: a connection, or KNOWN followed by a group.

    `before` are those of the placement before this one; None: only the file tells. The writer's thread finds
    out which rules joined and left, as that takes long for 100,000 rules.
    """

    place: str
    rules: Sequence[Rule] = field(repr=False)
    at: float
    before: Sequence[Rule] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class LastKnown:
    """A connection as the ledger last knew it; its data is safe up to `safe_until`."""

    connection: str
    began: Instant
    standing: TimelineState
    safe_until: Instant
    carried: Carried

    def open_interval(self, now: Instant) -> Interval:
        """Return its current interval, up to now."""
        standing = self.standing
        cause = standing.cause if standing.kind is IntervalKind.GAP else None
        return Interval(self.connection, standing.kind, cause, standing.open_from, now, standing.generation)


@dataclass(frozen=True, slots=True)
class FillNews:
    """What changed about the filling of gaps."""

    fills: Sequence[Fill] = ()
    costs: Sequence[FillCost] = ()
    plans: Sequence[tuple[int, bytes]] = field(default=(), repr=False)  # by the id of a fill
    totals: Sequence[FillTotal] = ()
    told: Sequence[FillTold] = ()
    forgotten: Sequence[str] = ()  # workers that tell nothing any more


@dataclass(frozen=True, slots=True)
class StoredFills:
    """What a predecessor left of the filling of gaps."""

    last_id: int = 0
    open: Sequence[Fill] = ()
    costs: Sequence[FillCost] = ()  # of the last days
    plans: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    given_up: Sequence[Fill] = ()  # within the last day
    totals: Sequence[FillTotal] = ()
    told: Sequence[FillTold] = ()


@dataclass(frozen=True, slots=True)
class Unwritten:
    """The content of one transaction; writing it twice has the same effect as once."""

    noted: Instant
    boot: str
    is_clean: bool = False  # the master stopped in order
    forgotten: Sequence[str] = ()  # connections to delete completely, before the rest is written
    entries: Sequence[Entry] = ()
    placements: Sequence[Placement] = ()
    accounts: Sequence[LastKnown] = ()
    fills: FillNews = FillNews()


@dataclass(frozen=True, slots=True)
class Inheritance:
    """The data that a predecessor left. Instants are those of its boot."""

    noted: Instant
    boot: str
    is_clean: bool
    last_id: int
    accounts: Sequence[LastKnown]
    totals: Mapping[str, Totals] = field(default_factory=dict)  # by connection
    places: Sequence[str] = ()  # places with rules
    fills: StoredFills = StoredFills()
