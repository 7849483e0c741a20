"""Rate limits of rules, as the ini and rules write them: `RATE [CAPACITY]`, matches a second and at once."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

RATE, CAPACITY = "rate", "capacity"  # fields of a rule
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
_CAPACITY_S = 60.0  # of matches at the rate, where no capacity is given


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A token bucket: `rate` matches a second are delivered in the long run, `capacity` at once."""

    rate: float
    capacity: float


def read_rate_limit(rate: str, capacity: str = "") -> RateLimit:
    """Return the limit. Raises ValueError with a sentence."""
    if not _NUMBER.fullmatch(rate) or not float(rate) > 0:
        raise ValueError("the rate must be a number of matches a second, such as 2 or 0.1")
    if not capacity:
        return RateLimit(float(rate), max(1.0, math.ceil(float(rate) * _CAPACITY_S)))
    if not _NUMBER.fullmatch(capacity) or float(capacity) < 1:
        raise ValueError("the capacity must be a number of matches, at least 1")
    return RateLimit(float(rate), float(capacity))
