"""The limits that the operator sets for the key pool."""

from __future__ import annotations

from dataclasses import dataclass

from traptor.common.config.sections.twitter import TwitterSection

_DEFAULT = TwitterSection()


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Hold the options of `[twitter]` by name; durations in seconds.

    The defaults are those of the options, and of v1.1. Steps: Twitter, "Connecting to a streaming endpoint";
    the budget of 5 connects in 5 minutes: X, "Migrating from standard v1.1 statuses/filter".
    """

    connects: int = _DEFAULT.connects
    connects_window: float = _DEFAULT.connects_window
    arrival_s: float = 0.0  # by how much later than its permission a connect may reach the server
    network_backoff: float = _DEFAULT.network_backoff
    network_backoff_max: float = _DEFAULT.network_backoff_max
    http_backoff: float = _DEFAULT.http_backoff
    http_backoff_max: float = _DEFAULT.http_backoff_max
    rate_limit_backoff: float = _DEFAULT.rate_limit_backoff
    rate_limit_backoff_max: float = _DEFAULT.rate_limit_backoff_max
    closes_at_once: int = 0  # closes soon after a 200, in a row, after which a connect is due at once
    quarantine: float = _DEFAULT.quarantine
    quarantine_max: float = _DEFAULT.quarantine_max

    @property
    def counts_for_s(self) -> float:
        """For how long a connect counts from its permission."""
        return self.connects_window + self.arrival_s
