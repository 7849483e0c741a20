"""Reports of workers to whom nothing happened."""

from __future__ import annotations

from traptor.common.counts import Counters
from traptor.common.messages import Activity, Report


def report(
    counters: Counters, activity: Activity = Activity.READING, *, seen_filters: tuple[str, ...] = ()
) -> Report:
    return Report(
        at=1.0,
        activity=activity,
        activity_since=1.0,
        last_byte_at=1.0,
        safe_until=1.0,
        backlog=0,
        outbox_bytes=0,
        counters=counters,
        seen_filters=seen_filters,
    )
