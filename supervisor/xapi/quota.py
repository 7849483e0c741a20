"""The state of a rate limit, from the headers of every response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from traptor.common.timing.httpdate import http_date

_DIGITS = 12  # of a Unix time in seconds there are ten


@dataclass(frozen=True, slots=True)
class Quota:
    """A rate limit as X sees it; None where X said nothing that can be read.

    X announces limits that its documents do not have (1, 40000), so these are upper bounds only.
    """

    limit: int | None = None
    remaining: int | None = None
    reset_at: float | None = None  # Unix seconds of X's clock
    retry_after_s: float | None = None
    answered_at: float | None = None  # by X's clock

    def reset_s(self, wall_now: float) -> float | None:
        """Return how far away the reset is, at the time of the answer; None where there is none ahead.

        By X's own clock, as far as it is known: a wrong one of this host would stretch the wait by hours.
        """
        now = wall_now if self.answered_at is None else self.answered_at
        return self.reset_at - now if self.reset_at is not None and self.reset_at > now else None


def quota_of(headers: Mapping[str, str]) -> Quota:
    """Read `x-rate-limit-*` and `Retry-After`."""
    return Quota(
        limit=_number(headers.get("x-rate-limit-limit")),
        remaining=_number(headers.get("x-rate-limit-remaining")),
        reset_at=_number(headers.get("x-rate-limit-reset")),
        retry_after_s=_number(headers.get("Retry-After")),
        answered_at=http_date(headers.get("Date") or headers.get("date") or ""),
    )


def _number(text: str | None) -> int | None:
    """Return the whole number, or None: a header may hold anything, a date for instance."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else None
