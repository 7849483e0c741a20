"""Whether a worker hangs, judged by its reports alone."""

from __future__ import annotations

from traptor.supervisor.workers.generation import Generation


def hang_reason(g: Generation, run_now: float, hang_timeout_s: float) -> str | None:
    """Why `g` counts as hung, or None. `run_now` is read on the master's RunClock, as what `g` keeps was.

    A worker that waits for the network, an order, or room in the sink is well, however long it waits.
    """
    silent_s = run_now - g.last_heard
    if silent_s > hang_timeout_s:
        return f"no report for {silent_s:.0f} s"
    report = g.last_report
    if report is None or report.activity.may_last:
        return None
    busy_s = run_now - g.busy_since
    if busy_s > hang_timeout_s:
        return f"{report.activity} for {busy_s:.0f} s"
    return None
