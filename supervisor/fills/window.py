"""The stretch of time to search for a gap, in X's form. Pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from traptor.supervisor.gaps.fill import Fill

# A post reaches the stream some seconds after it was written (X, "Filtered stream": P99 6 to 7 s), so what
# the gap lacks may have been written before it. What was delivered is not delivered again.
BEFORE_S = 10.0


def window(fill: Fill) -> tuple[str, str]:
    """Return start and end of the search: X takes whole seconds, the end is exclusive."""
    return _text(math.floor(fill.from_unix - BEFORE_S)), _text(math.ceil(fill.to_unix) + 1)


def _text(unix: float) -> str:
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%dT%H:%M:%SZ}"
