"""The state of the trial output, from what all workers report of it."""

from __future__ import annotations

from typing import Any

from traptor.common.messages import TrialReport
from traptor.supervisor.connections.context import Context
from traptor.supervisor.status.output import output_state
from traptor.supervisor.status.times import wall


def trial(context: Context, now: float) -> dict[str, Any] | None:
    """Return its name, its state, the last error while it fails, and what waits for it; None without a trial.

    Times are Unix seconds.
    """
    name = context.settings.traptor.output_trial
    if not name:
        return None
    found = (g.last_report.trial for g in context.fleet.generations if g.last_report is not None)
    reports = [report for report in found if report is not None]
    errors = [error for report in reports if (error := _error(report))]
    oldest = min((report.oldest_at for report in reports if report.oldest_at is not None), default=None)
    return {
        "name": name,
        "state": output_state(reports, errors, oldest, now),
        "error": errors[0] if errors else None,
        "messages": sum(report.backlog for report in reports),
        "bytes": sum(report.outbox_bytes for report in reports),
        "oldest": wall(oldest, now),
    }


def _error(report: TrialReport) -> str:
    return report.trouble or ("it confirms nothing" if report.unconfirmed_since is not None else "")
