"""The reasons for which an app's stream may not open, or must close."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from traptor.supervisor.xapi.failures import RateLimited, XFailure


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
    def after(cls, failure: XFailure, text: str, until: float | None) -> Hold:
        """Return the reason that a failed request is, of those that no credentials or money cure."""
        is_limit = isinstance(failure, RateLimited)
        return cls(HoldKind.RATE_LIMITED if is_limit else HoldKind.X_AWAY, text, until)

    @property
    def closes(self) -> bool:
        """True when an open stream must be closed for it."""
        return self.kind in CLOSES
