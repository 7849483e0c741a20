"""Figures: what was measured, over how many rounds, and what it is compared with."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured quantity: the median of its rounds, with the least and the most of them."""

    benchmark: str
    name: str
    unit: str
    median: float
    least: float
    most: float
    rounds: int
    target: str = ""
    is_met: bool | None = None  # None: there is no target

    @classmethod
    def of(
        cls,
        benchmark: str,
        name: str,
        unit: str,
        rounds: Sequence[float],
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> Figure:
        """Return the figure of these rounds; the median is compared with the target."""
        middle = statistics.median(rounds)
        target, is_met = "", None
        if at_least is not None:
            target, is_met = f">= {at_least:g}", middle >= at_least
        elif at_most is not None:
            target, is_met = f"<= {at_most:g}", middle <= at_most
        return cls(benchmark, name, unit, middle, min(rounds), max(rounds), len(rounds), target, is_met)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Effort:
    """The amount to measure: a full run, a quick one, or one that only shows that it works."""

    rounds: int
    tweets: int
    idle_s: float
    connections: tuple[int, ...]
    many_rules: int  # for the look at all rules; track and follow have their own tenfolds
    scale: int  # divides the largest rule sets


FULL = Effort(rounds=7, tweets=4_000, idle_s=20.0, connections=(50, 200), many_rules=100_000, scale=1)
QUICK = Effort(rounds=3, tweets=1_000, idle_s=10.0, connections=(20, 50), many_rules=20_000, scale=10)
TINY = Effort(rounds=1, tweets=60, idle_s=0.5, connections=(2,), many_rules=200, scale=100)


def interleaved(jobs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return the CPU seconds of each job in each round, in turns: a drift of the machine affects all alike.

    A round before the first warms caches and is not counted.
    """
    spent: dict[str, list[float]] = {name: [] for name in jobs}
    for number in range(rounds + 1):
        for name, job in jobs.items():
            began = time.thread_time()
            job()
            if number:
                spent[name].append(time.thread_time() - began)
    return spent


def ratios(floor: Sequence[float], spent: Sequence[float]) -> list[float]:
    """Return the speed per round relative to the floor."""
    return [least / most for least, most in zip(floor, spent, strict=True)]
