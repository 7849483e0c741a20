"""The result of the chaos: a table for people, and the same as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from trial.measure import Trend

from chaos_parts.agreement import Disagreement
from chaos_parts.deliveries import Deliveries, Topic

MOST_DOUBLED = 0.01
# A kill in the seconds after an outage of Kafka repeats everything that was in flight: once, 195 of the 8,842
# tweets of a minute. In a long run it evens out.
MOST_DOUBLED_IN_SHORT_RUNS = 0.05
LONG_RUN_MINUTES = 5.0
MOST_APART_S = 1.5
_SHOWN = 5  # of the losses, in the table


@dataclass(frozen=True)
class Report:
    """The figures of one run."""

    minutes: float
    seed: int
    rate: float
    to: str
    disturbances: Mapping[str, int]
    missed: Mapping[str, int]  # disturbances without a target
    strikes: Mapping[str, int]
    supervisors: int
    generations: Mapping[str, int]  # by the reason of their end
    deliveries: Deliveries
    topic: Topic
    gap_seconds: Mapping[str, Mapping[str, float]]
    disagreements: Sequence[Disagreement]  # the longest first
    trends: Sequence[Trend]
    failures: Sequence[str]
    slowness: float = 1.0  # of the server: how much slower than alone it ran

    @property
    def breaches(self) -> list[str]:
        """Everything that must not be."""
        lost, apart = self.deliveries.lost, self._apart
        return [
            *self.failures,
            *([f"{lost} deliveries were lost"] if lost else []),
            *([f"{self.doubled_share:.2%} are doubled"] if self.doubled_share >= self._most_doubled else []),
            *(f"ledger and server differ: {one}" for one in apart),
            *(f"{t.name} grew from {t.first:.1f} to {t.last:.1f}" for t in self.trends if not t.is_flat),
        ]

    @property
    def doubled_share(self) -> float:
        """The share among all tweets delivered of those repeated though the sandbox sent them once."""
        repeated = self.topic.doubled - self.deliveries.sent_again
        return repeated / self.topic.messages if self.topic.messages else 0.0

    @property
    def _apart(self) -> list[Disagreement]:
        """Those too long even for a server that had to wait for a processor so long."""
        return [one for one in self.disagreements if one.seconds > MOST_APART_S * self.slowness]

    @property
    def _most_doubled(self) -> float:
        return MOST_DOUBLED if self.minutes >= LONG_RUN_MINUTES else MOST_DOUBLED_IN_SHORT_RUNS

    def gap_sums(self) -> dict[str, float]:
        """Seconds by cause, over all connections."""
        sums: dict[str, float] = {}
        for causes in self.gap_seconds.values():
            for cause, seconds in causes.items():
                sums[cause] = round(sums.get(cause, 0.0) + seconds, 3)
        return dict(sorted(sums.items()))

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        topic = self.topic
        return {
            "minutes": self.minutes,
            "seed": self.seed,
            "rate": self.rate,
            "to": self.to,
            "disturbances": dict(self.disturbances),
            "missed": dict(self.missed),
            "strikes": dict(self.strikes),
            "supervisors": self.supervisors,
            "generations": dict(self.generations),
            "deliveries": asdict(self.deliveries),
            "topic": {"messages": topic.messages, "doubled": topic.doubled, "redelivered": topic.redelivered},
            "gap_seconds": {name: dict(causes) for name, causes in self.gap_seconds.items()},
            "disagreements": [asdict(one) for one in self._apart],
            "apart_s": round(max((d.seconds for d in self.disagreements), default=0.0), 3),
            "slowness": round(self.slowness, 2),
            "trends": [{**asdict(trend), "is_flat": trend.is_flat} for trend in self.trends],
            "breaches": self.breaches,
        }

    def lines(self) -> Iterable[str]:
        """Yield the lines of the table."""
        yield f"{self.minutes:g} minutes at {self.rate:g} tweets a second, to {self.to}, seed {self.seed}"
        yield from _rows("disturbances", self.disturbances)
        yield from _rows("disturbances that met nobody", self.missed)
        yield from _rows("faults of the sandbox", self.strikes)
        yield from _rows("processes", {"supervisors": self.supervisors, **self._ended()})
        yield from self._delivery_lines()
        yield from self._gap_lines()
        yield "the supervisors: at first, at the end, at most"
        for trend in self.trends:
            yield _row(trend.name, f"{trend.first:.1f}") + f"{trend.last:>10.1f}{trend.most:>10.1f}"
        yield from (f"FAILED: {breach}" for breach in self.breaches)
        if not self.breaches:
            yield "Outside of the ledger's gaps nothing was lost, and nothing was left behind."

    def _ended(self) -> dict[str, int]:
        return {f"workers that ended: {why}": count for why, count in self.generations.items()}

    def _delivery_lines(self) -> Iterable[str]:
        deliveries, topic = self.deliveries, self.topic
        yield "tweets, for each connection that they were sent to"
        yield _row("sent by the sandbox", f"{deliveries.sent:,}")
        yield _row("in the ledger's gaps", f"{deliveries.in_gaps:,}")
        yield _row("of these delivered all the same", f"{deliveries.arrived_in_gaps:,}")
        yield _row("due", f"{deliveries.due:,}")
        yield _row("lost", f"{deliveries.lost:,}")
        yield from (f"    {loss}" for loss in deliveries.losses[:_SHOWN])
        yield _row("delivered", f"{topic.messages:,}")
        yield _row("doubled", f"{topic.doubled:,}")
        yield _row("of these sent over two streams", f"{deliveries.sent_again:,}") + (
            f"  (the rest: {self.doubled_share:.3%})"
        )
        yield _row("marked as redelivered", f"{topic.redelivered:,}")

    def _gap_lines(self) -> Iterable[str]:
        yield "gap seconds"
        for connection, causes in self.gap_seconds.items():
            yield _row(connection, f"{sum(causes.values()):.1f}") + _by_cause(causes)
        sums = self.gap_sums()
        yield _row("all", f"{sum(sums.values()):.1f}") + _by_cause(sums)
        apart_s = max((one.seconds for one in self.disagreements), default=0.0)
        yield _row("furthest apart of ledger and server's record", f"{apart_s:.2f}")
        yield _row("the server ran slower than alone, times", f"{self.slowness:.1f}")


def _by_cause(causes: Mapping[str, float]) -> str:
    return f"  ({', '.join(f'{cause} {seconds:.1f}' for cause, seconds in sorted(causes.items()))})"


def _rows(title: str, counts: Mapping[str, int]) -> Iterable[str]:
    if counts:
        yield title
    for name, count in sorted(counts.items()):
        yield _row(name, f"{count:,}")


def _row(label: str, figure: str) -> str:
    return f"  {label:<54}{figure:>10}"
