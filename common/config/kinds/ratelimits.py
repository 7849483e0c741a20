"""The kind of option that limits how many matches of a rule are delivered."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from traptor.common.config.kinds.kinds import Allowed
from traptor.common.config.kinds.pergroup import PerGroup
from traptor.common.timing.rates import read_rate_limit


def _rate_limits(text: str) -> PerGroup:
    rows = [line.split() for line in text.split("\n") if line.strip()]
    for number, row in enumerate(rows, start=1):
        if not 2 <= len(row) <= 3:
            raise ValueError(f"line {number} must be a group, a rate and a capacity, such as `track:* 2 600`")
        try:
            read_rate_limit(*row[1:])
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
    return PerGroup.parse((pattern, " ".join(limit)) for pattern, *limit in rows)


RateLimits = Annotated[
    PerGroup,
    BeforeValidator(_rate_limits),
    Allowed("lines of a group, a rate and a capacity, or nothing", is_list=True),
]
