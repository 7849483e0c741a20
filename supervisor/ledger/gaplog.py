"""Write each gap as one line of supervisor.log, once, when the ledger takes it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from traptor.common.logs.event import fields
from traptor.supervisor.gaps.interval import GapCause, Interval, IntervalKind, iso

log = logging.getLogger(__name__)

_INTENDED = frozenset({GapCause.START, GapCause.REFRESH, GapCause.SHUTDOWN, GapCause.OPERATOR_STOP})

_MOST_LINES = 1000  # at once: with 100,000 connections they would take longer than a stop may


class GapLog:
    """Logs the gaps among the completed intervals."""

    def __init__(self) -> None:
        self._held: list[Interval] | None = None  # gaps completed together with very many others

    def take(self, interval: Interval) -> None:
        """Log the interval if it is a gap."""
        if interval.kind is not IntervalKind.GAP:
            return
        if self._held is None:
            _write(interval)
        else:
            self._held.append(interval)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Hold the gaps taken inside the block; beyond a thousand, log only how many there are."""
        held = self._held = []
        yield
        self._held = None
        for interval in held[:_MOST_LINES]:
            _write(interval)
        if len(held) > _MOST_LINES:
            log.info("more gaps are only in the ledger", extra=fields(count=len(held) - _MOST_LINES))


def _write(interval: Interval) -> None:
    log.log(
        logging.INFO if interval.cause in _INTENDED else logging.WARNING,
        "gap",
        extra=fields(
            connection=interval.connection,
            cause=interval.cause,
            why=interval.why or None,
            since=iso(interval.from_.wall),
            until=iso(interval.to.wall),
            seconds=round(interval.seconds, 3),
        ),
    )
