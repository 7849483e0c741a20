"""Compare the ledger with the server's own record of connections. Pure.

All times are seconds of this host's monotonic clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from trial.judge import OpenedStream, Silence

from chaos_parts.timeline import Entry, Kind, Timelines

_JOINED_S = 0.0015  # the ledger's times are exact to the millisecond

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A time in which the ledger has a gap and the server an open stream, or the other way round."""

    connection: str
    ledger: str
    since: float
    until: float

    @property
    def seconds(self) -> float:
        """The length of the disagreement."""
        return self.until - self.since

    def __str__(self) -> str:
        server = "none" if self.ledger == Kind.STREAMING else "a stream"
        return f"{self.connection}: {self.ledger} for {self.seconds:.2f} s while the server had {server}"


def disagreements(
    ledger: Timelines, streams: Sequence[OpenedStream], doubts: Sequence[Silence], until: float
) -> list[Disagreement]:
    """Return all times up to `until` in which the two differ, the longest first, except during doubts."""
    found: list[Disagreement] = []
    for name, entries in ledger:
        open_ = joined((s.opened_at, s.closed_at) for s in streams if s.connection == name)
        unsure = joined((d.since, d.until) for d in doubts if d.connection == name)
        for entry in merged(entries):
            known = cut([(entry.since, min(entry.until, until))], unsure)
            differing = meet(known, open_) if entry.kind is Kind.GAP else cut(known, open_)
            if entry.kind is not Kind.UNPLANNED:
                label = "gap" if entry.kind is Kind.GAP else Kind.STREAMING
                found += [Disagreement(name, label, *span) for span in differing]
    return sorted(found, key=lambda one: -one.seconds)


def doubts_of_stops(stops: Iterable[Silence], streams: Sequence[OpenedStream]) -> list[Silence]:
    """Return the times in which a stopped worker's stream was unobserved, until it or a successor went on."""
    found = []
    for stop in stops:
        # The stream of the stopped worker itself, if it was connecting, is logged only once it goes on.
        successors = [
            s.opened_at
            for s in streams
            if s.connection == stop.connection and s.opened_at > stop.since and s.logged_at <= stop.until
        ]
        found.append(Silence(stop.connection, stop.since, min([stop.until, *successors])))
    return found


def merged(entries: Iterable[Entry]) -> list[Entry]:
    """Join neighbours of one kind into one entry: a gap whose cause changes is one gap."""
    result: list[Entry] = []
    for entry in entries:
        last = result[-1] if result else None
        if last and last.kind is entry.kind and entry.since - last.until <= _JOINED_S:
            result[-1] = Entry(
                last.connection, last.kind, last.cause, last.since, entry.until, last.seconds + entry.seconds
            )
        else:
            result.append(entry)
    return result


# ---- spans: sorted, and disjoint


def joined(spans: Iterable[Span]) -> list[Span]:
    """Return the same times as spans that do not touch."""
    result: list[Span] = []
    for since, until in sorted(span for span in spans if span[0] < span[1]):
        if result and since <= result[-1][1]:
            result[-1] = (result[-1][0], max(until, result[-1][1]))
        else:
            result.append((since, until))
    return result


def meet(some: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """Return the times in both."""
    both = [(max(a[0], b[0]), min(a[1], b[1])) for a in some for b in others]
    return joined(both)


def cut(some: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """Return the times in the first and not in the second."""
    edges = [(float("-inf"), float("-inf")), *others, (float("inf"), float("inf"))]
    between = [(left[1], right[0]) for left, right in pairwise(edges)]
    return meet(some, between)
