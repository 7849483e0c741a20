"""Answer queries of the ledger: gaps, intervals and sums, from the file and from memory not yet written.

Answers are made in a thread, a portion at a time; `View` is all they need of the live ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from traptor.supervisor.gaps.fill import Fill, FillIndex
from traptor.supervisor.gaps.interval import Instant, IntervalKind
from traptor.supervisor.ledger.answers.accounting import TOLERANCE_S, Balance
from traptor.supervisor.ledger.answers.coverage import coverage, known_spans, with_news
from traptor.supervisor.ledger.answers.question import Question
from traptor.supervisor.ledger.book import Ledger
from traptor.supervisor.ledger.disk.reader import NO_ID, LedgerReader, StoredStay
from traptor.supervisor.ledger.period import ALL_TIME, Period
from traptor.supervisor.ledger.records import KNOWN, UNCARRIED, Entry, Placement

Json = dict[str, Any]


class UnknownError(Exception):
    """The requested connection or rule is not in the ledger; the message says so."""


@dataclass(frozen=True, slots=True)
class View:
    """The ledger in memory at one moment."""

    now: Instant
    entries: Sequence[Entry]  # completed, and perhaps not on disk yet
    placements: Sequence[Placement]  # perhaps not on disk yet
    open: Sequence[Entry]
    balances: Sequence[Balance]
    fills: Sequence[Fill] = ()  # perhaps not on disk yet

    @classmethod
    def of(cls, ledger: Ledger, now: Instant) -> View:
        """Return the view of this moment."""
        balances = [Balance.of(name, began, now, totals) for name, began, totals in ledger.sums(now)]
        return cls(
            now,
            ledger.pending.entries,
            ledger.pending.placements,
            tuple(ledger.open_entries(now)),
            balances,
            ledger.fills.all(),
        )


class Answer:
    """Answers one question; every method raises TraptorError when the file cannot be read.

    Raises UnknownError when the ledger has no such connection or rule.
    """

    def __init__(self, reader: LedgerReader, view: View, question: Question) -> None:
        self._reader = reader
        self._view = view
        self._question = question
        self._fills: FillIndex | None = None  # those of the period, once one is needed
        self._stays = self._find_rule() if question.rule is not None else []
        self._check_connection()

    def intervals(self, wanted: Callable[[Entry], bool]) -> Iterator[Json]:
        """Yield the wanted intervals that touch the period; those of a rule also name its key."""
        if self._question.rule is not None:
            for key, parts in self._by_rule():
                yield from (
                    {"rule": key, **self._told(part)} for part in parts if wanted(part) and self._is_of(part)
                )
            return
        for entry in self._entries(self._question.connection, self._question.period):
            if wanted(entry):
                yield self._told(entry)

    def _told(self, entry: Entry) -> Json:
        """Return an entry in its form for programs, a gap with how it was filled."""
        return entry.as_json() | ({"filled": self._filled(entry)} if entry.is_gap else {})

    def _filled(self, entry: Entry) -> list[Json]:
        if self._fills is None:
            stored = self._reader.fills(self._question.period, self._question.connection)
            self._fills = FillIndex({fill.id: fill for fill in (*stored, *self._view.fills)}.values())
        return [fill.as_json() for fill in self._fills.of(entry)]

    def totals(self) -> Iterator[Json]:
        """Yield the sums of every requested connection, or of the rule."""
        if self._question.rule is not None:
            yield from (_rule_totals(key, parts) for key, parts in self._by_rule())
            return
        for balance in self._view.balances:
            if self._question.connection in (None, balance.connection):
                yield self._totals_of(balance)

    # ---- steps

    def _entries(self, connection: str | None, period: Period) -> Iterator[Entry]:
        """Yield stored, unwritten and open intervals, clipped to the period."""
        view = self._view
        before = view.entries[0].id if view.entries else NO_ID
        for page in self._reader.entries(before, period, connection):
            yield from filter(None, map(period.clip, page))
        for entry in (*view.entries, *view.open):
            if connection in (None, entry.connection) and (part := period.clip(entry)) is not None:
                yield part

    def _find_rule(self) -> list[StoredStay]:
        rule = self._question.rule or ""
        stays = with_news(rule, self._reader.stays(rule), self._view.placements)
        if not stays:
            raise UnknownError(f"the ledger knows of no rule with the key or rule_id {rule[:100]!r}")
        return stays

    def _check_connection(self) -> None:
        name = self._question.connection
        if name is not None and all(name != balance.connection for balance in self._view.balances):
            raise UnknownError(f"the ledger knows of no connection {name[:100]!r}")

    def _by_rule(self) -> Iterator[tuple[str, list[Entry]]]:
        by_key = attrgetter("key")
        for key, stays in groupby(sorted(self._stays, key=by_key), key=by_key):
            yield key, self._coverage(list(stays))

    def _coverage(self, stays: list[StoredStay]) -> list[Entry]:
        period, now = self._question.period, self._view.now.wall
        carried: list[Entry] = []
        for stay in stays:
            common = None if stay.place.startswith(KNOWN) else stay.within(period)
            if common is not None:
                carried += self._entries(stay.place, common)
        return coverage(carried, known_spans(stays, period, now), now)

    def _is_of(self, entry: Entry) -> bool:
        return self._question.connection in (None, entry.connection)

    def _totals_of(self, balance: Balance) -> Json:
        period = self._question.period
        if period == ALL_TIME:
            return _connection_totals(balance)
        entries = list(self._entries(balance.connection, period))
        sums = _sums(entries)
        began, ended = (entries[0].from_unix, entries[-1].to_unix) if entries else (0.0, 0.0)
        covered_s = sum(entry.to_unix - entry.from_unix for entry in entries)
        return {
            "connection": balance.connection,
            "elapsed_seconds": round(sum(sums.values()), 3),
            "streaming_seconds": round(sums.get(IntervalKind.STREAMING, 0.0), 3),
            "unplanned_seconds": round(sums.get(IntervalKind.UNPLANNED, 0.0), 3),
            "gap_seconds": _gap_seconds(entries),
            # The wall clock may have been set, so the seconds need not match it; but there must be no hole.
            "adds_up": abs(ended - began - covered_s) < TOLERANCE_S,
        }


def is_any(_entry: Entry) -> bool:
    """Accept all intervals."""
    return True


def _connection_totals(balance: Balance) -> Json:
    return {
        "connection": balance.connection,
        "elapsed_seconds": round(balance.elapsed_s, 3),
        "streaming_seconds": round(balance.streaming_s, 3),
        "unplanned_seconds": round(balance.unplanned_s, 3),
        "gap_seconds": {cause: round(seconds, 3) for cause, seconds in sorted(balance.gaps_s.items())},
        "adds_up": not balance.problems,
    }


def _rule_totals(key: str, parts: Iterable[Entry]) -> Json:
    parts = list(parts)
    sums = _sums(parts)
    return {
        "rule": key,
        "elapsed_seconds": round(sum(sums.values()), 3),
        "streaming_seconds": round(sums.get(IntervalKind.STREAMING, 0.0), 3),
        "gap_seconds": _gap_seconds(parts),
        "uncarried_seconds": round(sums.get(UNCARRIED, 0.0), 3),
    }


def _sums(entries: Iterable[Entry]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for entry in entries:
        sums[entry.kind] = sums.get(entry.kind, 0.0) + entry.seconds
    return sums


def _gap_seconds(entries: Iterable[Entry]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for entry in entries:
        if entry.cause is not None:
            sums[entry.cause] = sums.get(entry.cause, 0.0) + entry.seconds
    return {cause: round(seconds, 3) for cause, seconds in sorted(sums.items())}
