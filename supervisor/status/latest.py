"""Keep the last status for whoever asks next: making one costs the master some milliseconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

_FRESH_S = 1.0


class Latest:
    """Makes statuses with `make`; nobody may change one that he got."""

    def __init__(self, make: Callable[[], Json], clock: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._clock = clock
        self._made: tuple[float, Json] | None = None

    def new(self) -> Json:
        """Return the status as of now."""
        status = self._make()
        self._made = (self._clock(), status)
        return status

    def recent(self) -> Json:
        """Return one of the last second."""
        if self._made is not None and self._clock() - self._made[0] < _FRESH_S:
            return self._made[1]
        return self.new()

    def outdated(self) -> None:
        """Have the next one made anew: something was ordered."""
        self._made = None
