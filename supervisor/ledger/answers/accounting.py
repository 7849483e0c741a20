"""Check that the ledger accounts for every second: for answers, and for tools that judge a finished run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from traptor.supervisor.gaps.interval import Instant, Totals
from traptor.supervisor.ledger.disk.reader import NO_ID, LedgerReader
from traptor.supervisor.ledger.period import ALL_TIME
from traptor.supervisor.ledger.records import Entry, Inheritance, LastKnown

TOLERANCE_S = 0.01


@dataclass(frozen=True, slots=True)
class Balance:
    """The sums of a connection and the faults found in them; no faults when every second is accounted for."""

    connection: str
    elapsed_s: float  # since its beginning
    streaming_s: float
    unplanned_s: float
    gaps_s: dict[str, float]  # by cause
    problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, connection: str, began: Instant, now: Instant, totals: Totals) -> Balance:
        """Return what the connection streamed and missed, from its beginning until now."""
        elapsed_s = now.mono - began.mono
        missing_s = elapsed_s - totals.elapsed_s
        problems = (f"{missing_s:.3f} s are in no interval",) if abs(missing_s) > TOLERANCE_S else ()
        gaps_s = {cause.value: seconds for cause, seconds in totals.gaps_s.items()}
        return cls(connection, elapsed_s, totals.streaming_s, totals.unplanned_s, gaps_s, problems)


def balances(path: Path) -> tuple[Balance, ...]:
    """Return the balance of every connection in a `ledger.db`, up to the last second that it covers.

    Raises TraptorError when the file cannot be read.
    """
    with closing(LedgerReader(path)) as reader:
        stored = reader.stored()
        if stored is None:
            return ()
        return tuple(
            _balance(stored, account, reader.entries(NO_ID, ALL_TIME, account.connection))
            for account in stored.accounts
        )


def imbalances(path: Path) -> list[str]:
    """Return what a `ledger.db` does not account for, as sentences; empty when every second is covered.

    Raises TraptorError when the file cannot be read.
    """
    return [
        f"the ledger of {balance.connection} does not add up: {problem}"
        for balance in balances(path)
        for problem in balance.problems
    ]


def _balance(stored: Inheritance, account: LastKnown, pages: Iterable[list[Entry]]) -> Balance:
    totals = stored.totals.get(account.connection, Totals())
    totals.add(account.open_interval(stored.noted))
    balance = Balance.of(account.connection, account.began, stored.noted, totals)
    return replace(balance, problems=(*balance.problems, *_breaks(account, list(chain.from_iterable(pages)))))


def _breaks(account: LastKnown, entries: Sequence[Entry]) -> Iterator[str]:
    """Yield each place where an interval does not begin at the end of the previous one."""
    begins = [*(entry.from_unix for entry in entries), account.standing.open_from.wall]
    for entry, next_begins in zip(entries, begins[1:], strict=True):
        if entry.to_unix != next_begins:
            yield f"an interval ends at {entry.to_unix:.3f}, and the next one begins at {next_begins:.3f}"
