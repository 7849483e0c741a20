"""One line of the gap ledger, as it is stored, answered and mirrored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from traptor.supervisor.gaps.interval import Interval, IntervalKind

UNCARRIED = "uncarried"  # of a rule: it was known, and no connection carried it


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


def iso(unix: float) -> str:
    """A Unix time as people read it, in UTC, with milliseconds."""
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
