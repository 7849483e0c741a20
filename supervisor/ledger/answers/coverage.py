"""Compute how a rule spent its time: streamed, in a gap of its connection, or uncarried. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter

from traptor.supervisor.gaps.interval import IntervalKind
from traptor.supervisor.ledger.disk.reader import StoredStay
from traptor.supervisor.ledger.period import Period
from traptor.supervisor.ledger.records import KNOWN, UNCARRIED, Entry, Placement

Span = tuple[float, float]


def with_news(rule: str, stays: Iterable[StoredStay], news: Iterable[Placement]) -> list[StoredStay]:
    """Return a rule's stays from the file, updated with perhaps unwritten news (stored news has no effect).

    `rule` is the key or rule id by which the stays were requested.
    """
    known = {(stay.key, stay.place, stay.from_unix): stay for stay in stays}
    for new in news:
        present = {each.key: each for each in new.rules if rule in (each.key, each.rule_id)}
        lasting = {name: stay for name, stay in known.items() if stay.place == new.place and stay.lasts}
        for name, stay in lasting.items():
            if stay.key not in present:
                known[name] = stay.until(new.at)
        for key in present.keys() - {stay.key for stay in lasting.values()}:
            begun = StoredStay(key, present[key].rule_id, new.place, new.at, None)
            known.setdefault((key, new.place, new.at), begun)
    return list(known.values())


def coverage(carried: Iterable[Entry], known: Iterable[Span], now: float) -> list[Entry]:
    """Return a rule's time, in order and without overlap; what was known until now is open.

    `carried` holds the parts of intervals in which a connection carried the rule. While one connection
    streams it, a gap of another connection that should carry it too does not count.
    """
    pieces = sorted(carried, key=attrgetter("from_unix"))
    streaming = list(_disjoint(piece for piece in pieces if piece.kind == IntervalKind.STREAMING))
    gaps = _disjoint(piece for piece in pieces if piece.kind == IntervalKind.GAP)
    streamed = [(piece.from_unix, piece.to_unix) for piece in streaming]
    covered = [*streaming, *(part for gap in gaps for part in _without(gap, streamed))]
    covered.sort(key=attrgetter("from_unix"))
    taken = [(piece.from_unix, piece.to_unix) for piece in covered]
    uncarried = [part for each in _uncarried(known, now) for part in _without(each, taken)]
    return sorted([*covered, *uncarried], key=attrgetter("from_unix"))


def known_spans(stays: Iterable[StoredStay], period: Period, now: float) -> Iterator[Span]:
    """Yield when a rule was known, within a period."""
    for stay in stays:
        common = stay.within(period) if stay.place.startswith(KNOWN) else None
        if common is not None:
            yield common.since, min(common.until, now)


def _uncarried(spans: Iterable[Span], now: float) -> Iterator[Entry]:
    for since, until in spans:
        yield Entry(None, UNCARRIED, None, since, until, until - since, is_open=until == now)


def _disjoint(pieces: Iterable[Entry]) -> Iterator[Entry]:
    """Cut from each piece, in order, what earlier pieces already cover."""
    end = float("-inf")
    for piece in pieces:
        part = Period(since=end).clip(piece)
        if part is not None:
            yield part
        end = max(end, piece.to_unix)


def _without(piece: Entry, taken: Sequence[Span]) -> Iterator[Entry]:
    """Yield the parts of a piece outside of the given spans, which are in order and do not overlap."""
    index = max(0, bisect_right(taken, (piece.from_unix, float("inf"))) - 1)
    since = piece.from_unix
    for began, ended in islice(taken, index, None):
        if began >= piece.to_unix:
            break
        if began > since and (part := Period(since, began).clip(piece)) is not None:
            yield part
        since = max(since, ended)
    if since < piece.to_unix and (part := Period(since, piece.to_unix).clip(piece)) is not None:
        yield part
