"""The limits that the operator sets for the key pool."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """The options of `[twitter]` by name; durations in seconds.

    The defaults are those of v1.1. Steps: Twitter, "Connecting to a streaming endpoint"; the budget of 5
    connects in 5 minutes: X, "Migrating from standard v1.1 statuses/filter".
    """

    connects: int = 5
    connects_window: float = 300.0
    network_backoff: float = 0.25
    network_backoff_max: float = 16.0
    http_backoff: float = 5.0
    http_backoff_max: float = 320.0
    rate_limit_backoff: float = 60.0
    rate_limit_backoff_max: float = 3600.0
    quarantine: float = 900.0
    quarantine_max: float = 86_400.0
