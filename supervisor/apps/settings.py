"""The operator's settings for one app, and the way to X for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from traptor.supervisor.apps.cost.spending import Terms
from traptor.supervisor.apps.wanted.composed import AppLimits
from traptor.supervisor.filters.sync.budget import RequestLimits


@dataclass(frozen=True)
class AppSettings:
    """What an app may have, what it may cost, and how often X is asked about it."""

    limits: AppLimits
    terms: Terms = field(default_factory=Terms)
    requests: RequestLimits = field(default_factory=RequestLimits)
    look_s: float = 300.0  # between two looks at the filters at X
    usage_s: float = 3_600.0  # between two looks at X's own count
    credit_retry_s: float = 1_800.0


@dataclass(frozen=True, slots=True)
class Route:
    """How the master reaches X for one app."""

    api_url: str
    ca_file: Path | None = None
    proxy: str | None = None
    source_address: str | None = None
