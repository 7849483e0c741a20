"""The pool's view of a key: its state, and whether it may connect."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from traptor.supervisor.keys.conduct.budget import Purpose, reserve
from traptor.supervisor.keys.conduct.failures import FailureKind
from traptor.supervisor.keys.conduct.limits import PoolLimits
from traptor.supervisor.keys.conduct.record import KeyRecord


class KeyState(StrEnum):
    """The states of a key: lent out or not, and why not."""

    OK = "OK"
    COOLING = "COOLING"  # rests after failures; lent only when nothing better is free
    SUSPECT = "SUSPECT"  # streams, but an extra connect was refused (401/403): no new connects
    QUARANTINED = "QUARANTINED"
    UNUSABLE = "UNUSABLE"  # its source address is not on this host
    OUT_OF_CREDIT = "OUT_OF_CREDIT"  # as its app knows: X gives no more for money (v2)
    GONE = "GONE"  # no longer configured


LENDABLE = frozenset({KeyState.OK, KeyState.COOLING})
LOST = frozenset({KeyState.QUARANTINED, KeyState.UNUSABLE, KeyState.GONE})
"""In these states a connection has to leave its key."""


class Hindrance(StrEnum):
    """The reasons why a key may not connect now."""

    GONE = "gone"
    UNUSABLE = "unusable"
    SUSPECT = "suspect"
    QUARANTINED = "quarantined"
    BUDGET = "budget"  # its connects are used up
    # It rests after failures, the last of which was:
    NETWORK = "network"
    HTTP = "http"
    REFUSED = "refused"
    CLOSED = "closed"
    BROKEN = "broken"
    RATE_LIMITED = "rate_limited"
    SLOT_HELD = "slot_held"
    RESTS = "rests"  # a stream that lasted has made up for them


_RESTS: dict[FailureKind | None, tuple[Hindrance, str]] = {
    FailureKind.NETWORK: (Hindrance.NETWORK, "the key rests: the network failed"),
    FailureKind.HTTP: (Hindrance.HTTP, "the key rests: the server answered with an error"),
    FailureKind.REFUSED: (Hindrance.REFUSED, "the key rests: the server refused the request"),
    FailureKind.CLOSED: (Hindrance.CLOSED, "the key rests: its stream was closed soon after the 200"),
    FailureKind.BROKEN: (Hindrance.BROKEN, "the key rests: its stream broke soon after the 200"),
    FailureKind.RATE_LIMITED: (Hindrance.RATE_LIMITED, "the key rests: the server answered 420 or 429"),
    FailureKind.SLOT_HELD: (Hindrance.SLOT_HELD, "the app's connection is taken"),
    None: (Hindrance.RESTS, "the key rests after an earlier failure"),
}


@dataclass(frozen=True, slots=True)
class ConnectVerdict:
    """The answer to a request to connect; if refused, until when (None: waiting does not help) and why."""

    allowed: bool
    not_before: float | None
    reason: str
    hindrance: Hindrance | None = None  # None: it is allowed


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """One key as it is shown, without secrets.

    `not_before`: the next time it may make a fresh connect; None when it may now, or when waiting does not
    help. `hindrance` and `reason` tell why it may not.
    """

    name: str
    key_id: str
    state: KeyState
    lent: int
    max_connections: int
    budget_left: int
    not_before: float | None
    source_address: str | None
    hindrance: Hindrance | None = None
    reason: str = ""
    last_error: str = ""
    failed_at: float | None = None
    last_used_at: float | None = None


def state_of(record: KeyRecord, now: float) -> KeyState:
    """Return the state of a configured key whose address is on this host."""
    if record.quarantined_until(now) is not None:
        return KeyState.QUARANTINED
    if record.is_suspect:
        return KeyState.SUSPECT
    return KeyState.OK if record.backoff.rests_until(now) is None else KeyState.COOLING


def judge(
    state: KeyState, record: KeyRecord, purpose: Purpose, limits: PoolLimits, now: float
) -> ConnectVerdict:
    """Tell whether a key in `state` may connect for `purpose`."""
    match state:
        case KeyState.GONE:
            return ConnectVerdict(False, None, "the key is no longer configured", Hindrance.GONE)
        case KeyState.UNUSABLE:
            reason = "the key's source address is not on this host"
            return ConnectVerdict(False, None, reason, Hindrance.UNUSABLE)
        case KeyState.SUSPECT:
            reason = "an extra connect was refused (401/403) while the key streams"
            return ConnectVerdict(False, None, reason, Hindrance.SUSPECT)
        case KeyState.QUARANTINED:
            reason = "quarantined after a refusal (401/403)"
            return ConnectVerdict(False, record.quarantined_until(now), reason, Hindrance.QUARANTINED)
        case KeyState.OK | KeyState.COOLING | KeyState.OUT_OF_CREDIT:
            return _judge_waits(record, purpose, limits, now)


def _judge_waits(record: KeyRecord, purpose: Purpose, limits: PoolLimits, now: float) -> ConnectVerdict:
    rests_until = record.backoff.rests_until(now) or now
    free_at = record.free_at(purpose, limits, now)
    if max(rests_until, free_at) <= now:
        return ConnectVerdict(True, None, "")
    if rests_until >= free_at:
        hindrance, reason = _RESTS[record.settled(now).backoff.last]
        return ConnectVerdict(False, rests_until, reason, hindrance)
    return ConnectVerdict(False, free_at, _budget_reason(record, purpose, limits, now), Hindrance.BUDGET)


def _budget_reason(record: KeyRecord, purpose: Purpose, limits: PoolLimits, now: float) -> str:
    limits = record.limits(limits)
    if (record.closed_until or now) > record.budget.free_at(purpose, limits, now):
        return "the server allows no more connects for now, by its own count"
    used = f"{record.budget.used(limits, now)} of {limits.connects} connects in {limits.connects_window:g} s"
    kept = reserve(purpose, limits)
    return f"{used} are used" + (f", and {kept} are kept for recovery" if kept else "")
