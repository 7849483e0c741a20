"""Record what a connection did, from when to when, and why it did not stream."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum


class GapCause(StrEnum):
    """Why a planned connection did not stream."""

    START = "start"
    BUDGET = "budget"  # the connects of its key are spent
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


class IntervalKind(StrEnum):
    """What a connection was in an interval."""

    STREAMING = "streaming"
    GAP = "gap"
    UNPLANNED = "unplanned"  # without a plan: no rules, not served, or merged away; no gap


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment on both clocks: Unix time for people, monotonic seconds for sums."""

    wall: float
    mono: float


def instant(mono: float) -> Instant:
    """Return the moment of a monotonic reading, with its wall-clock time."""
    return Instant(wall=time.time() - (time.monotonic() - mono), mono=mono)


def iso(unix: float) -> str:
    """Return a Unix time as people read it, in UTC, with milliseconds."""
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Interval:
    """One stretch of a connection's life; `cause` is given for gaps only.

    `generation` is the last one that had streamed by its end.
    """

    connection: str
    kind: IntervalKind
    cause: GapCause | None
    from_: Instant
    to: Instant
    generation: int | None = None

    @property
    def seconds(self) -> float:
        """Return its length by the monotonic clock."""
        return self.to.mono - self.from_.mono


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a timeline stands: what is needed to go on with it, over a restart of the master too."""

    kind: IntervalKind  # of the open interval
    cause: GapCause  # of the open gap, if one is open
    is_planned: bool
    open_from: Instant
    generation: int | None


@dataclass
class Totals:
    """Sums seconds over intervals."""

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
        """Return the sum of all."""
        return self.streaming_s + self.unplanned_s + sum(self.gaps_s.values())
