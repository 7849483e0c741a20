"""The state of the output, from what all workers report of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from traptor.common.config.kinds.kinds import KAFKA
from traptor.common.messages import Report
from traptor.supervisor.connections.context import Context
from traptor.supervisor.status.times import wall

_BEHIND_S = 600.0
"""An output whose oldest undelivered message is older than this takes less than comes in."""


def output(context: Context, now: float) -> dict[str, Any]:
    """Return its state, the last error while it fails, since when, and about when the oldest message came.

    Times are Unix seconds.
    """
    reports = list(_reports(context))
    oldest = min((report.oldest_at for report in reports if report.oldest_at is not None), default=None)
    failing = [since for report in reports if (since := _failing_since(report)) is not None]
    errors = [report.output_trouble for report in reports if report.output_trouble]
    return {
        "kind": "kafka" if context.settings.traptor.output == KAFKA else "jsonl",
        "state": output_state(reports, failing, oldest, now),
        "error": (errors[0] if errors else "it confirms nothing") if failing else None,
        "since": wall(min(failing, default=None), now),
        "oldest": wall(oldest, now),
    }


def _reports(context: Context) -> Iterator[Report]:
    for g in context.fleet.generations:
        if g.last_report is not None:
            yield g.last_report


def _failing_since(report: Report) -> float | None:
    """Return since when a worker's output fails; None: it works, as far as is known."""
    if report.unconfirmed_since is not None:
        return report.unconfirmed_since
    if report.output_trouble:
        return report.oldest_at if report.oldest_at is not None else report.activity_since
    return None


def output_state(
    reports: Sequence[object], faults: Sequence[object], oldest: float | None, now: float
) -> str:
    """Return the state of an output by what workers report, and when its oldest message came."""
    if not reports:
        return "unknown"
    if faults:
        return "failing"
    return "behind" if oldest is not None and now - oldest > _BEHIND_S else "ok"
