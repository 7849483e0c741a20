"""The stretches of time to ask X for: of a search, of a stream that brings its past, of a recovery job. Pure.

Facts: X, "Recovery and redundancy": `backfill_minutes` from 1 to 5; `start_time` and `end_time` within the
last 24 hours. X takes whole seconds.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from traptor.supervisor.gaps.fill import Fill

# A post reaches the stream some seconds after it was written (X, "Filtered stream": P99 6 to 7 s), so what
# the gap lacks may have been written before it. What was delivered is not delivered again.
BEFORE_S = 10.0
MOST_MINUTES = 5
RECOVERABLE_S = 86_400.0
_ON_THE_WAY_S = 5.0  # from the permission to the moment in which X counts the minutes back
_AT_THE_EDGE_S = 60.0  # X's clock and ours may differ
_OUT_OF_ORDER_S = 10.0  # posts come up to 7 s late, and not in order
LAST = "="  # before a token: a job came no further, and one that begins there is to confirm it


def window(fill: Fill) -> tuple[str, str]:
    """Return start and end of the search: X takes whole seconds, the end is exclusive."""
    return text_of(math.floor(fill.from_unix - BEFORE_S)), text_of(math.ceil(fill.to_unix) + 1)


def backfill_minutes(since_unix: float, now_unix: float) -> int:
    """Return the minutes that a stream must bring to cover the time since then; 0: more than X has."""
    minutes = math.ceil((now_unix - since_unix + BEFORE_S + _ON_THE_WAY_S) / 60.0)
    return minutes if minutes <= MOST_MINUTES else 0


def is_covered(fill: Fill, minutes: int, opened_unix: float) -> bool:
    """Tell whether the backfill of a stream that opened then brings all of a gap."""
    return fill.from_unix - BEFORE_S >= opened_unix - minutes * 60.0 and fill.to_unix <= opened_unix + 1.0


def recovery_window(fill: Fill, now_unix: float) -> tuple[str, str] | None:
    """Return start and end of the next recovery job of a fill; None: X has nothing of it any more."""
    end = min(math.ceil(fill.to_unix) + 1.0, math.floor(now_unix))
    start = fill.from_unix - BEFORE_S
    if fill.token:
        overlap_s = 0.0 if fill.token.startswith(LAST) else _OUT_OF_ORDER_S
        start = max(start, moment(fill.token) - overlap_s)
    oldest = now_unix - RECOVERABLE_S + _AT_THE_EDGE_S
    if end <= math.ceil(oldest):
        return None
    return text_of(max(math.floor(min(start, end - 1.0)), math.ceil(oldest))), text_of(end)


def moment(token: str) -> float:
    """Return the time (Unix) up to which recovery jobs came, 0 for none."""
    return float(token.removeprefix(LAST) or 0.0)


def text_of(unix: float) -> str:
    """Return a time as X takes it."""
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%dT%H:%M:%SZ}"
