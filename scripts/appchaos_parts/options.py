"""What a run of the chaos under v2 is asked for. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from appchaos_parts.troubles import OF_RECOVERIES, OF_SEARCHES, OF_TWO, USUAL, Kind

NO_FILLS, SEARCH, RECOVERY = FILLS = ("no", "search", "recovery")
_OUTPUT_BYTES, _POST_BYTES, _MARGIN = 64 << 20, 4096, 1.5


@dataclass(frozen=True, slots=True)
class Options:
    """The command's options."""

    minutes: float
    rate: float  # tweets per second
    seed: int
    every_s: float  # between troubles
    connections: int = 1  # of the app, which bring the same posts
    fills: str = NO_FILLS

    @property
    def kinds(self) -> frozenset[Kind]:
        """What happens."""
        of_fills = {SEARCH: OF_SEARCHES, RECOVERY: OF_RECOVERIES}.get(self.fills, frozenset())
        return USUAL | of_fills | (OF_TWO if self.connections > 1 else frozenset())

    @property
    def output_bytes(self) -> int:
        """An upper bound of the size of the output."""
        return _OUTPUT_BYTES + int(self.rate * self.minutes * 60 * _MARGIN * _POST_BYTES)

    @property
    def is_enterprise(self) -> bool:
        """Whether the app needs such a contract."""
        return self.connections > 1 or self.fills == RECOVERY
