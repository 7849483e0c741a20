"""The reasons for which an app's stream may not open, or must close."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class HoldKind(StrEnum):
    """Every such reason, the gravest first."""

    BEARER_REFUSED = "bearer_refused"  # X does not take its keys
    NO_BEARER = "no_bearer"  # its bearer token is not here yet
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

    @property
    def closes(self) -> bool:
        """True when an open stream must be closed for it."""
        return self.kind in CLOSES
