"""Gaps as lines in supervisor.log, one for each."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from traptor.common.logs.event import fields
from traptor.supervisor.gaps.interval import GapCause, Interval, IntervalKind
from traptor.supervisor.ledger.records import iso

log = logging.getLogger(__name__)


_INTENDED = frozenset({GapCause.START, GapCause.REFRESH, GapCause.SHUTDOWN, GapCause.OPERATOR_STOP})


_MOST_LINES = 1000  # at once: with 100,000 connections they would take longer than a stop may


def record_many(completed: Sequence[Interval]) -> None:
    """Write down the gaps among very many intervals; beyond a thousand, only how many there are."""
    gaps = [interval for interval in completed if interval.kind is IntervalKind.GAP]
    record(gaps[:_MOST_LINES])
    if len(gaps) > _MOST_LINES:
        log.info("more gaps are only in the ledger", extra=fields(count=len(gaps) - _MOST_LINES))


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
