"""The posts of the past that a stream request asks for: a backfill before the live ones, or a recovery."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from traptor.sandbox.v2 import problems
from traptor.sandbox.v2.apps.contracts import Contract
from traptor.sandbox.v2.parameters.moments import parse_moment
from traptor.sandbox.v2.parameters.paging import whole_number

PAST_PARAMETERS = ("backfill_minutes", "start_time", "end_time")
_RECOVERABLE_S = 86_400


@dataclass(frozen=True, slots=True)
class Past:
    """The time whose posts are wanted, in unix seconds; a recovery ends after them."""

    start_unix_s: float
    end_unix_s: float
    is_recovery: bool = False


def parse_past(query: Mapping[str, str], contract: Contract, now_unix_s: float) -> Past:
    """Read the parameters; without any the time begins now. Raises Problem (400)."""
    minutes = whole_number(query, "backfill_minutes", 0, contract.backfill_minutes, 0)
    start, end = parse_moment(query, "start_time"), parse_moment(query, "end_time")
    if start is None and end is None:
        return Past(now_unix_s - minutes * 60, math.inf)
    if not contract.recovery_jobs:
        raise _refusal(query, "are not open to this app")
    if start is None or end is None or "backfill_minutes" in query:
        raise _refusal(query, "go together, and without 'backfill_minutes'")
    if not now_unix_s - _RECOVERABLE_S <= start < end <= now_unix_s:
        raise _refusal(query, "must be within the last 24 hours, one before the other")
    return Past(start, end, is_recovery=True)


def _refusal(query: Mapping[str, str], reason: str) -> problems.Problem:
    given = {name: [query[name]] for name in PAST_PARAMETERS if name in query}
    return problems.invalid_request(f"'start_time' and 'end_time' {reason}", given)
