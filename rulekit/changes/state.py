"""Say in words what becomes of a stored rule, for people and programs alike."""

from __future__ import annotations

from traptor.common.rules.normalise import Found
from traptor.common.rules.rule import Inactive, Rejected

NO_FILTER = "no filter at X: "
"""What the state of a rule begins with for which X has no filter."""


def state_of(found: Found, why_no_filter: str | None) -> str:
    """Return the state of a rule; `why_no_filter` counts for one that is valid, and is None under v1.1."""
    match found:
        case Inactive():
            return f"inactive: status {found.status}"
        case Rejected():
            return f"invalid: {found.reason}"
        case _:
            return "valid" if why_no_filter is None else f"{NO_FILTER}{why_no_filter}"
