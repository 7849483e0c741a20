"""Gaps as lines in supervisor.log, one for each."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime

from traptor.common.logs import fields
from traptor.supervisor.intervals import Instant, Interval, IntervalKind

log = logging.getLogger(__name__)


def record(completed: Iterable[Interval]) -> None:
    """Write down the gaps among the intervals that an event completed."""
    for interval in completed:
        if interval.kind is IntervalKind.GAP:
            log.warning(
                "gap",
                extra=fields(
                    connection=interval.connection,
                    cause=interval.cause,
                    since=iso(interval.from_),
                    until=iso(interval.to),
                    seconds=round(interval.seconds, 3),
                ),
            )


def iso(at: Instant) -> str:
    """The wall-clock time as people read it, in UTC."""
    return datetime.fromtimestamp(at.wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
