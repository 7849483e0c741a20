"""Limit the rate of new connections per source address."""

from __future__ import annotations


class Pacer:
    """Spaces the connects from each source address evenly; None is the host's default address.

    Twitter blocks addresses that connect too often, whatever the keys ("Connecting to a streaming endpoint").
    """

    def __init__(self, connect_rate: float) -> None:
        self.connect_rate = connect_rate  # connects per second; may be changed, takes effect at once
        self._last: dict[str | None, float] = {}

    def next_at(self, address: str | None, now: float) -> float:
        """Return when the next connect from `address` is due: `now` or later (monotonic seconds)."""
        last = self._last.get(address)
        return now if last is None else max(now, last + 1 / self.connect_rate)

    def take(self, address: str | None, now: float) -> None:
        """Count a connect from `address` at `now`."""
        self._last[address] = now
