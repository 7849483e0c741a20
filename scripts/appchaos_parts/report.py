"""The result of the chaos under v2: a table for people, and the same as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from appchaos_parts.judge import Found, Verdict

_SHOWN = 5  # losses


@dataclass(frozen=True)
class Report:
    """The figures of one run."""

    minutes: float
    seed: int
    rate: float
    connections: int
    fills: str
    troubles: Mapping[str, int]
    missed: Mapping[str, int]
    supervisors: int
    generations: Mapping[str, int]  # by the reason of their end
    found: Found
    verdict: Verdict
    failures: Sequence[str]

    @property
    def breaches(self) -> list[str]:
        """Everything that must not be."""
        return [*self.failures, *self.verdict.breaches]

    @property
    def _apart_s(self) -> float:
        return max((one.seconds for one in self.verdict.disagreements), default=0.0)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        verdict = self.verdict
        return {
            "minutes": self.minutes,
            "seed": self.seed,
            "rate": self.rate,
            "connections": self.connections,
            "fills": self.fills,
            "filled_s": [round(until - since, 3) for since, until in self.found.filled],
            "missing_in_filled_gaps": len(verdict.missed),
            "troubles": dict(self.troubles),
            "missed": dict(self.missed),
            "supervisors": self.supervisors,
            "generations": dict(self.generations),
            "deliveries": asdict(verdict.deliveries),
            "doubled": self.found.written.doubled,
            "gap_seconds": dict(verdict.gap_seconds),
            "furthest_apart_s": round(self._apart_s, 3),
            "standstills_s": [round(one.until - one.since, 3) for one in verdict.standstills],
            "connects": verdict.connects,
            "most_connects_in_15_min": verdict.most_in_window,
            "billed": self.found.billed,
            "counted": self.found.counted,
            "bill": asdict(verdict.bill),
            "slowness": round(self.found.slowness, 2),
            "breaches": self.breaches,
        }

    def lines(self) -> Iterable[str]:
        """Yield the lines of the table."""
        verdict, deliveries = self.verdict, self.verdict.deliveries
        yield (
            f"{self.minutes:g} minutes of API v2 at {self.rate:g} tweets a second, seed {self.seed},"
            f" connections: {self.connections}, fills: {self.fills}"
        )
        yield from _rows("troubles", self.troubles)
        yield from _rows("troubles that met nobody", self.missed)
        ended = {f"workers that ended: {why}": count for why, count in self.generations.items()}
        yield from _rows("processes", {"supervisors": self.supervisors, **ended})
        yield "posts"
        yield _row("sent by the sandbox", deliveries.sent)
        yield _row("in the ledger's gaps", deliveries.in_gaps)
        yield _row("of these in the output all the same", deliveries.arrived_in_gaps)
        yield _row("due", deliveries.due)
        yield _row("lost", deliveries.lost)
        yield from (f"    {loss}" for loss in deliveries.losses[:_SHOWN])
        yield _row("doubled", self.found.written.doubled)
        yield _row("times of gaps that were filled", len(self.found.filled))
        yield _row("missing in these", len(verdict.missed))
        yield from (f"    {post}" for post in verdict.missed[:_SHOWN])
        yield "connects"
        yield _row("in all", verdict.connects)
        yield _row("at most in 15 minutes", verdict.most_in_window)
        yield "the bill, in posts"
        yield _row("the sandbox's", self.found.billed)
        yield _row("our count", self.found.counted)
        yield _row("in the output", verdict.bill.delivered)
        yield _row("in no output, and never read", verdict.bill.unread)
        yield _row("of these perhaps in the hand of a killed worker", verdict.bill.in_hand)
        yield _row("in the output, known only to a killed worker", verdict.bill.unreported)
        yield _row("only found by searches, and in no output", verdict.bill.searches)
        yield "gap seconds"
        for cause, seconds in sorted(verdict.gap_seconds.items()):
            yield f"  {cause:<54}{seconds:>10.1f}"
        still_s = [one.until - one.since for one in verdict.standstills]
        yield f"  {'the sandbox stood still, in all':<54}{sum(still_s):>10.1f}"
        yield f"  {'the sandbox stood still, longest':<54}{max(still_s, default=0.0):>10.1f}"
        yield f"  {'furthest apart of ledger and server record':<54}{self._apart_s:>10.2f}"
        yield f"  {'the sandbox ran slower than alone, times':<54}{self.found.slowness:>10.1f}"
        yield from (f"FAILED: {breach}" for breach in self.breaches)
        if not self.breaches:
            yield (
                "Outside of the ledger's gaps nothing was lost, and what is billed was counted or never read."
            )


def _rows(title: str, counts: Mapping[str, int]) -> Iterable[str]:
    if counts:
        yield title
    for name, count in sorted(counts.items()):
        yield _row(name, count)


def _row(label: str, count: int) -> str:
    return f"  {label:<54}{count:>10,}"
