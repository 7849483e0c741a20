"""Check that the ledger adds up: streaming, gaps and unplanned time make up the whole time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from chaos_parts.timeline import Entry, Timelines

# Intervals are given to the millisecond, and each may be rounded.
_ROUNDING_S = 0.0015


def faults(ledger: Timelines, connections: frozenset[str], began_at: float) -> list[str]:
    """Return what does not add up; nothing may begin before the first start."""
    names = {name for name, _ in ledger}
    missing = [f"{name} is not in the ledger" for name in sorted(connections - names)]
    return missing + [fault for name, entries in ledger for fault in _faults(name, entries, began_at)]


def _faults(name: str, entries: Sequence[Entry], began_at: float) -> list[str]:
    found = [
        f"{name}: between two intervals of the ledger {later.since - earlier.until:+.3f} s"
        for earlier, later in pairwise(entries)
        if abs(later.since - earlier.until) > _ROUNDING_S
    ]
    elapsed_s = entries[-1].until - entries[0].since
    sum_s = sum(entry.seconds for entry in entries)
    if abs(sum_s - elapsed_s) > _ROUNDING_S * len(entries):
        found.append(f"{name}: the intervals sum up to {sum_s:.3f} s in {elapsed_s:.3f} s")
    if entries[0].since < began_at:
        found.append(f"{name}: its first interval begins {began_at - entries[0].since:.3f} s too early")
    return found
