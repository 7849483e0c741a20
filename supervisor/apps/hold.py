"""The reasons for which an app's stream may not open, or must close."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from traptor.supervisor.xapi.failures import (
    BadAnswer,
    CapExceeded,
    OutOfCredit,
    RateLimited,
    ServerTrouble,
    XFailure,
)


class HoldKind(StrEnum):
    """Every such reason, the gravest first."""

    BEARER_REFUSED = "bearer_refused"  # X does not take its keys
    NO_BEARER = "no_bearer"  # its bearer token is not here yet
    X_AWAY = "x_away"  # X does not answer what has to be known before
    RATE_LIMITED = "rate_limited"  # X was asked that too often
    OUT_OF_CREDIT = "out_of_credit"
    CAPPED = "capped"  # by a cap of the operator's
    FOREIGN_FILTERS = "foreign_filters"
    SYNCING = "syncing"  # X has not told yet which filters stand there
    NO_FILTERS = "no_filters"  # X would refuse the stream


CLOSES = frozenset({HoldKind.CAPPED})
"""For these an open stream is closed, too."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason: a text for people, and when it ends by itself (Unix time; None: unknown)."""

    kind: HoldKind
    text: str
    until: float | None = None

    @classmethod
    def after(cls, failure: XFailure, lacking: HoldKind, text: str, until: float | None) -> Hold:
        """Return the reason after a failed request; `lacking`, where the failure is of no other kind."""
        match failure:
            case ServerTrouble() | BadAnswer():
                kind = HoldKind.X_AWAY
            case RateLimited():
                kind = HoldKind.RATE_LIMITED
            case OutOfCredit() | CapExceeded():
                kind = HoldKind.OUT_OF_CREDIT
            case _:
                kind = lacking
        return cls(kind, text, until)

    @property
    def closes(self) -> bool:
        """True when an open stream must be closed for it."""
        return self.kind in CLOSES
