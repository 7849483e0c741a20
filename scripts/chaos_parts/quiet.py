"""Tell whether everything that was sent has reached the output."""

from __future__ import annotations

from collections.abc import Callable

from trial.still import Still
from trial.view import StatusReader

_STILL_S = 3.0  # without any movement for this long, everything is read


class Quiet:
    """True once no worker has pending messages, and neither counters nor the output's ends move any more."""

    def __init__(self, status: StatusReader, ends: Callable[[], object]) -> None:
        """Take what returns the ends; None: unknown."""
        self._status = status
        self._ends = ends
        self._still = Still(self._moving, _STILL_S)

    def __call__(self) -> bool:
        is_still = self._still()
        return is_still and not any(c.backlog or c.others for c in self._status.view.connections)

    def _moving(self) -> object:
        counters = [(c.name, c.received, c.delivered) for c in self._status.look().connections]
        return counters, self._ends() or object()  # unknown ends count as moving
