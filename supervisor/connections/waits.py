"""Why a connection waits: each way once, with the gap cause that it means while nothing streams.

A pure table. The reconcile step says which way it is; the gap ledger, the status and the list of troubles
follow from here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from traptor.supervisor.gaps.interval import GapCause
from traptor.supervisor.keys.states import Hindrance, Verdict


class WaitKind(StrEnum):
    """Every way in which a connection can wait."""

    NO_KEY = "no_key"
    KEYS_REFUSED = "keys_refused"  # no key is free, as the server refused keys
    RULES_REFUSED = "rules_refused"
    CRASHED = "crashed"
    NO_WORKER = "no_worker"  # this host cannot fork one
    TURN = "turn"  # others are starting
    PACED = "paced"
    OUTBOX_FULL = "outbox_full"
    STEP_FAILED = "step_failed"
    REFRESH_DUE = "refresh_due"
    NO_WAY = "no_way"  # none that `handover` allows is open
    # Its key may not connect:
    KEY_GONE = "key_gone"
    KEY_UNUSABLE = "key_unusable"
    KEY_SUSPECT = "key_suspect"
    KEY_QUARANTINED = "key_quarantined"
    BUDGET = "budget"
    NETWORK = "network"
    SERVER_ERRORS = "server_errors"
    SHORT_STREAMS = "short_streams"
    RATE_LIMITED = "rate_limited"
    RESTS = "rests"  # after a failure that a lasting stream has made up for


OF_HINDRANCE: dict[Hindrance, WaitKind] = {
    Hindrance.GONE: WaitKind.KEY_GONE,
    Hindrance.UNUSABLE: WaitKind.KEY_UNUSABLE,
    Hindrance.SUSPECT: WaitKind.KEY_SUSPECT,
    Hindrance.QUARANTINED: WaitKind.KEY_QUARANTINED,
    Hindrance.BUDGET: WaitKind.BUDGET,
    Hindrance.NETWORK: WaitKind.NETWORK,
    Hindrance.HTTP: WaitKind.SERVER_ERRORS,
    Hindrance.CLOSED: WaitKind.SHORT_STREAMS,
    Hindrance.RATE_LIMITED: WaitKind.RATE_LIMITED,
    Hindrance.RESTS: WaitKind.RESTS,
}

CAUSES: dict[WaitKind, GapCause | None] = {
    WaitKind.NO_KEY: GapCause.NO_KEY,
    WaitKind.KEYS_REFUSED: GapCause.KEY_REFUSED,
    WaitKind.RULES_REFUSED: GapCause.RULES_REFUSED,
    WaitKind.CRASHED: None,  # its end said whether it crashed or hung
    WaitKind.NO_WORKER: GapCause.CRASH,
    WaitKind.TURN: None,
    WaitKind.PACED: None,
    WaitKind.OUTBOX_FULL: GapCause.OUTBOX_FULL,
    WaitKind.STEP_FAILED: GapCause.CRASH,
    WaitKind.REFRESH_DUE: None,
    WaitKind.NO_WAY: None,
    WaitKind.KEY_GONE: GapCause.NO_KEY,
    WaitKind.KEY_UNUSABLE: GapCause.NO_KEY,
    WaitKind.KEY_SUSPECT: GapCause.KEY_REFUSED,
    WaitKind.KEY_QUARANTINED: GapCause.KEY_REFUSED,
    WaitKind.BUDGET: GapCause.BUDGET,
    WaitKind.NETWORK: GapCause.NETWORK,
    WaitKind.SERVER_ERRORS: GapCause.NETWORK,
    WaitKind.SHORT_STREAMS: GapCause.SERVER_CLOSE,
    WaitKind.RATE_LIMITED: GapCause.RATE_LIMITED,
    WaitKind.RESTS: None,
}
"""The cause of the gap while a connection without a stream waits so; None: the wait is part of what ended
the last stream, or of the start, and the gap keeps its cause."""


@dataclass(frozen=True, slots=True)
class Wait:
    """One wait: its kind, a text for people, until when (monotonic seconds; None: not known), which key."""

    kind: WaitKind
    text: str
    until: float | None = None
    key: str | None = None  # its name

    @classmethod
    def for_key(cls, verdict: Verdict, key: str) -> Wait:
        """Wait for a key that may not connect."""
        assert verdict.hindrance is not None
        return cls(OF_HINDRANCE[verdict.hindrance], verdict.reason, verdict.not_before, key)

    def of_refresh(self) -> Wait:
        """Return the same wait of a successor."""
        return replace(self, text=f"refresh waits: {self.text}")

    @property
    def cause(self) -> GapCause | None:
        """Return the cause of a gap in which a connection waits so, or None to keep the one it has."""
        return CAUSES[self.kind]
