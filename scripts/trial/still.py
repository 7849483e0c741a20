"""Whether something that can be looked at has come to rest."""

from __future__ import annotations

import time
from collections.abc import Callable


class Still:
    """True once what `look` returns was the same for so long."""

    def __init__(self, look: Callable[[], object], for_s: float) -> None:
        self._look = look
        self._for_s = for_s
        self._seen: object = None
        self._since = time.monotonic()

    def __call__(self) -> bool:
        now = time.monotonic()
        seen = self._look()
        if seen != self._seen:
            self._seen, self._since = seen, now
        return now - self._since >= self._for_s
