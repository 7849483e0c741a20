"""Gaps as lines in supervisor.log, one for each."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from traptor.common.logs.event import fields
from traptor.supervisor.gaps.interval import GapCause, Interval, IntervalKind
from traptor.supervisor.ledger.records import iso

log = logging.getLogger(__name__)


_INTENDED = frozenset({GapCause.START, GapCause.REFRESH, GapCause.SHUTDOWN, GapCause.OPERATOR_STOP})


def record(completed: Iterable[Interval]) -> None:
    """Write down the gaps among the intervals that an event completed."""
    for interval in completed:
        if interval.kind is IntervalKind.GAP:
            log.log(
                logging.INFO if interval.cause in _INTENDED else logging.WARNING,
                "gap",
                extra=fields(
                    connection=interval.connection,
                    cause=interval.cause,
                    since=iso(interval.from_.wall),
                    until=iso(interval.to.wall),
                    seconds=round(interval.seconds, 3),
                ),
            )
