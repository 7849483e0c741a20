"""Intervals of a connection's life, and the causes of those without a stream."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum


class GapCause(StrEnum):
    """The causes for which a planned connection did not stream."""

    START = "start"
    BUDGET = "budget"  # the connects of its key are used up
    REFRESH = "refresh"
    CRASH = "crash"
    HUNG = "hung"
    NO_KEY = "no_key"
    KEY_REFUSED = "key_refused"
    RATE_LIMITED = "rate_limited"
    RULES_REFUSED = "rules_refused"
    NETWORK = "network"
    SERVER_CLOSE = "server_close"
    STALL = "stall"
    OUTBOX_FULL = "outbox_full"
    OPERATOR_STOP = "operator_stop"
    SHUTDOWN = "shutdown"
    MASTER_DOWN = "master_down"
    COST = "cost"  # a cap of the operator's, or the account's credit or usage cap (v2)
    SLOT_HELD = "slot_held"  # the app's connection is taken by another, perhaps a dead one (v2)
    FOREIGN_FILTERS = "foreign_filters"  # filters of others stand in the app (v2)


class IntervalKind(StrEnum):
    """The kinds of intervals."""

    STREAMING = "streaming"
    GAP = "gap"
    UNPLANNED = "unplanned"  # without a plan: no rules, not served, or merged away; not a gap


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment on both clocks: Unix time for people, monotonic seconds for sums."""

    wall: float
    mono: float


def instant(mono: float) -> Instant:
    """Return the moment of a monotonic reading, with its wall-clock time."""
    return Instant(wall=time.time() - (time.monotonic() - mono), mono=mono)


def iso(unix: float) -> str:
    """Return a Unix time in readable form, in UTC, with milliseconds."""
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Interval:
    """One stretch of a connection's life; `cause` is set for gaps only, and `why` where X named a reason.

    `generation` is the last one that had streamed by its end.
    """

    connection: str
    kind: IntervalKind
    cause: GapCause | None
    from_: Instant
    to: Instant
    generation: int | None = None
    why: str = ""

    @property
    def seconds(self) -> float:
        """Its length by the monotonic clock."""
        return self.to.mono - self.from_.mono


@dataclass(frozen=True, slots=True)
class TimelineState:
    """The position of a timeline: all that is needed to continue it, even after a restart of the master."""

    kind: IntervalKind  # of the open interval
    cause: GapCause  # of the open gap, if there is one
    is_planned: bool
    open_from: Instant
    generation: int | None


@dataclass
class Totals:
    """Sums of seconds over intervals."""

    streaming_s: float = 0.0
    unplanned_s: float = 0.0
    gaps_s: dict[GapCause, float] = field(default_factory=dict)  # by cause

    def add(self, interval: Interval) -> None:
        """Count one interval."""
        match interval.kind:
            case IntervalKind.STREAMING:
                self.streaming_s += interval.seconds
            case IntervalKind.UNPLANNED:
                self.unplanned_s += interval.seconds
            case IntervalKind.GAP:
                assert interval.cause is not None
                self.gaps_s[interval.cause] = self.gaps_s.get(interval.cause, 0.0) + interval.seconds

    @property
    def elapsed_s(self) -> float:
        """The sum of all."""
        return self.streaming_s + self.unplanned_s + sum(self.gaps_s.values())
