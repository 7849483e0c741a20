"""Times as shown to people."""

from __future__ import annotations

import time
from datetime import UTC, datetime

_SOON_S = 3600.0


def moment(unix: float) -> str:
    """Return a time as logs show it, without its fraction; if it is near, with the distance from now."""
    text = f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%dT%H:%M:%SZ}"
    left_s = unix - time.time()
    return f"{text} (in {left_s:.0f} s)" if 0 < left_s < _SOON_S else text
