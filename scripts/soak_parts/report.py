"""The result of the soak: a table for people, and the same as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from trial.judge import ReportedGap, Verdict
from trial.measure import Trend


@dataclass(frozen=True)
class Report:
    """The figures of one soak."""

    minutes: float
    seed: int
    rate: float
    verdict: Verdict
    gaps: Sequence[ReportedGap]
    disturbances: Mapping[str, int]
    strikes: Mapping[str, int]
    generations: Mapping[str, int]  # by the reason of their end
    trends: Sequence[Trend]
    failures: Sequence[str]
    slowness: float = 1.0  # of the server: how much slower than alone it ran

    @property
    def breaches(self) -> list[str]:
        """Everything that must not be."""
        verdict = self.verdict
        return [
            *self.failures,
            *([f"{verdict.lost} tweets were lost"] if verdict.lost else []),
            *([f"{verdict.unexplained} were in no open filter and no gap"] if verdict.unexplained else []),
            *(f"{t.name} grew from {t.first:.1f} to {t.last:.1f}" for t in self.trends if not t.is_flat),
        ]

    def gap_seconds(self) -> dict[str, dict[str, float]]:
        """Return the seconds in gaps by connection and cause."""
        seconds: dict[str, dict[str, float]] = {}
        for gap in self.gaps:
            causes = seconds.setdefault(gap.connection, {})
            causes[gap.cause] = round(causes.get(gap.cause, 0.0) + gap.seconds, 3)
        return {name: seconds[name] for name in sorted(seconds)}

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "minutes": self.minutes,
            "seed": self.seed,
            "rate": self.rate,
            "verdict": asdict(self.verdict),
            "gap_seconds": self.gap_seconds(),
            "disturbances": dict(self.disturbances),
            "strikes": dict(self.strikes),
            "generations": dict(self.generations),
            "slowness": round(self.slowness, 2),
            "trends": [{**asdict(trend), "is_flat": trend.is_flat} for trend in self.trends],
            "breaches": self.breaches,
        }

    def lines(self) -> Iterable[str]:
        """Yield the lines of the table."""
        verdict = self.verdict
        yield f"{self.minutes:g} minutes at {self.rate:g} tweets a second, seed {self.seed}"
        yield from _rows("disturbances", self.disturbances)
        yield from _rows("faults of the sandbox", self.strikes)
        yield from _rows("workers that ended", self.generations)
        yield "tweets"
        yield _row("made for rules then in Redis", f"{verdict.made:,}")
        yield _row("before their rule was in an open filter, or in a gap", f"{verdict.early:,}")
        yield _row("in no open filter and in no gap", f"{verdict.unexplained:,}")
        yield _row("due to connections", f"{verdict.due:,}")
        yield _row("written", f"{verdict.written:,}")
        yield _row("doubled", f"{verdict.doubled:,}")
        yield _row("lost", f"{verdict.lost:,}")
        yield _row("not written while the server was silent on purpose", f"{verdict.silent:,}")
        yield from (f"    {loss}" for loss in verdict.losses)
        yield "gap seconds"
        for connection, causes in self.gap_seconds().items():
            text = ", ".join(f"{cause} {seconds:.1f}" for cause, seconds in causes.items())
            yield _row(connection, f"{sum(causes.values()):.1f}") + f"  ({text})"
        yield _row("the server ran slower than alone, times", f"{self.slowness:.1f}")
        yield "the master: after the warm-up, at the end, at most"
        for trend in self.trends:
            yield _row(trend.name, f"{trend.first:.1f}") + f"{trend.last:>10.1f}{trend.most:>10.1f}"
        yield from (f"FAILED: {breach}" for breach in self.breaches)
        if not self.breaches:
            silent = f" and of {verdict.silent:,} tweets in silences" if verdict.silent else ""
            yield f"Outside of reported gaps{silent} nothing was lost, and nothing grew."


def _rows(title: str, counts: Mapping[str, int]) -> Iterable[str]:
    yield title
    for name, count in sorted(counts.items()):
        yield _row(name, f"{count:,}")


def _row(label: str, figure: str) -> str:
    return f"  {label:<54}{figure:>10}"
