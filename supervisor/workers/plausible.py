"""Whether what a worker says can be true: nonsense must not get into ledger, budgets and status."""

from __future__ import annotations

from traptor.common.errors import ProtocolError
from traptor.common.messages import Counters, Disconnected, Report
from traptor.supervisor.workers.generation import Generation

_CLOCK_STEP_S = 1.0  # CLOCK_MONOTONIC is one for all processes of a host; this is for rounding alone
_MOST = 2**53  # beyond it JSON readers lose digits


def check_times(g: Generation, message: Disconnected, now: float) -> None:
    """Raises ProtocolError unless its times lie in order between the birth of `g` and now."""
    earliest = g.born_at - _CLOCK_STEP_S
    if not earliest <= message.last_byte_at <= message.at + _CLOCK_STEP_S <= now + 2 * _CLOCK_STEP_S:
        raise ProtocolError("a disconnect at an impossible time")
    if message.safe_until is not None and not earliest <= message.safe_until <= now + _CLOCK_STEP_S:
        raise ProtocolError("a disconnect with an impossible time")


def check_report(g: Generation, report: Report, now: float) -> None:
    """Raises ProtocolError when a time of it is impossible, or a counter fell or is too large."""
    if not g.born_at - _CLOCK_STEP_S <= report.at <= now + _CLOCK_STEP_S:
        raise ProtocolError("a report at an impossible time")
    if not 0 <= report.activity_since <= now + _CLOCK_STEP_S:
        raise ProtocolError("a report of something done since an impossible time")
    before = g.counters
    for name in Counters.__struct_fields__:
        if name != "other" and not getattr(before, name) <= getattr(report.counters, name) < _MOST:
            raise ProtocolError(f"a report with an impossible count of {name}")
    if any(not before.other.get(kind, 0) <= count < _MOST for kind, count in report.counters.other.items()):
        raise ProtocolError("a report with an impossible count of other messages")
