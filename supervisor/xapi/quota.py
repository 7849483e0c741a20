"""The state of a rate limit, from the headers of every response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_DIGITS = 12  # of a Unix time in seconds there are ten


@dataclass(frozen=True, slots=True)
class Quota:
    """A rate limit as X sees it; None where X said nothing that can be read.

    X announces limits that its documents do not have (1, 40000), so these are upper bounds only.
    """

    limit: int | None = None
    remaining: int | None = None
    reset_at: float | None = None  # Unix seconds
    retry_after_s: float | None = None


def quota_of(headers: Mapping[str, str]) -> Quota:
    """Read `x-rate-limit-*` and `Retry-After`."""
    return Quota(
        limit=_number(headers.get("x-rate-limit-limit")),
        remaining=_number(headers.get("x-rate-limit-remaining")),
        reset_at=_number(headers.get("x-rate-limit-reset")),
        retry_after_s=_number(headers.get("Retry-After")),
    )


def _number(text: str | None) -> int | None:
    """Return the whole number, or None: a header may hold anything, a date for instance."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else None
