"""The figures of one rule: how much it brought, how regularly, and whether it has fallen silent; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

HOUR_S = 3_600
_ENOUGH_MATCHES = 5  # to know a usual interval
_SILENT_AFTER_INTERVALS = 8.0  # by chance a steady rule is that late once in 3,000 intervals
_SILENT_AFTER_S = 900.0  # at least: bursts have pauses
_SHORTEST_S = 1.0  # matches are counted by the second


@dataclass(frozen=True, slots=True)
class Figure:
    """What the workers counted of a rule. Times are unix seconds; None: it has not matched.

    `counted` are the matches since `first_at`, that one among them; `hours` are those of the last 24 hours,
    by hour since 1970. `held` are matches that its rate limit kept from being delivered.
    """

    rule: str  # type:id:rule_id
    total: int = 0
    counted: int = 0
    first_at: float | None = None
    last_at: float | None = None
    hours: Mapping[int, int] = field(default_factory=dict)
    held: int = 0

    @property
    def a_day(self) -> int:
        """Matches of the last 24 hours."""
        return sum(self.hours.values())

    def usual_interval_s(self) -> float | None:
        """Return the mean time between its matches; None while too few are known."""
        if self.first_at is None or self.last_at is None or self.counted < _ENOUGH_MATCHES:
            return None
        return (self.last_at - self.first_at) / (self.counted - 1)

    def silent_s(self, now: float) -> float | None:
        """Return for how long it has been silent, if that is unusual for it; else None."""
        usual = self.usual_interval_s()
        if usual is None or self.last_at is None:
            return None
        since = now - self.last_at
        return since if since > max(_SILENT_AFTER_INTERVALS * usual, _SILENT_AFTER_S) else None

    def silent_intervals(self, now: float) -> float:
        """Return how many of its usual intervals it has been silent; 0 where that is not unusual."""
        return (self.silent_s(now) or 0.0) / max(self.usual_interval_s() or 0.0, _SHORTEST_S)

    def as_json(self, now: float) -> dict[str, object]:
        """Return it for programs."""
        return {
            "rule": self.rule,
            "total": self.total,
            "last_at": self.last_at,
            "last_hour": self.hours.get(int(now) // HOUR_S, 0) + self.hours.get(int(now) // HOUR_S - 1, 0),
            "last_day": self.a_day,
            "usual_interval_s": self.usual_interval_s(),
            "silent_s": self.silent_s(now),
            "held": self.held,
        }
