"""What X would charge each app for a UTC day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from traptor.sandbox.v2.posts import Reads


@dataclass(frozen=True, slots=True)
class Prices:
    """Dollars for one read of each kind."""

    post: float = 0.005
    user: float = 0.010


class Bill:
    """Counts per app and UTC day; each post id is charged once per day and app."""

    def __init__(self, prices: Prices | None = None) -> None:
        self.prices = prices or Prices()

    def add(self, app: str, reads: Reads, now_unix_s: float) -> None:
        """Charge an app for a line that was written to its stream."""
        raise NotImplementedError

    def as_json(self) -> list[dict[str, Any]]:
        """Return a row per app and day."""
        raise NotImplementedError
