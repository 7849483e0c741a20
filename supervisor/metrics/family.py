"""Build one metric: its name, its help, and its series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import Any

from traptor.common.timing.latencies import BEYOND, step_names

Json = Mapping[str, Any]
Sample = tuple[tuple[str, ...], float | None]
"""The values of the labels, and the value; None: there is none to show."""

CONNECTION = ("connection",)
_BOUNDS = tuple("+Inf" if name == BEYOND else str(float(name)) for name in step_names())


class MetricKind(StrEnum):
    """The types of Prometheus that are in use."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"

    @property
    def only_grows(self) -> bool:
        """Tell whether no value of it may fall."""
        return self is not MetricKind.GAUGE


@dataclass(frozen=True, slots=True)
class Series:
    """Samples that have one name and the same labels."""

    name: str
    labels: tuple[str, ...]
    samples: Iterable[Sample]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. The objects of prometheus-client would cost a scrape more than all the rest of it."""

    name: str
    kind: MetricKind
    help: str
    series: tuple[Series, ...]


def gauge(name: str, help_: str, labels: tuple[str, ...], samples: Iterable[Sample]) -> Family:
    """Return a value that goes up and down."""
    name = f"traptor_{name}"
    return Family(name, MetricKind.GAUGE, help_, (Series(name, labels, samples),))


def counter(name: str, help_: str, labels: tuple[str, ...], samples: Iterable[Sample]) -> Family:
    """Return a value that only grows; `_total` is added to its name."""
    name = f"traptor_{name}_total"
    return Family(name, MetricKind.COUNTER, help_, (Series(name, labels, samples),))


def histogram(
    name: str, help_: str, labels: tuple[str, ...], steps: Iterable[tuple[tuple[str, ...], Json, float]]
) -> Family:
    """Return how often a value was in each step: by the labels' values, counts by step and the sum."""
    name = f"traptor_{name}"
    buckets: list[Sample] = []
    counts: list[Sample] = []
    sums: list[Sample] = []
    for values, by_step, total in steps:
        so_far = list(accumulate(by_step.get(step, 0) for step in step_names()))
        buckets.extend(((*values, bound), count) for bound, count in zip(_BOUNDS, so_far, strict=True))
        counts.append((values, so_far[-1]))
        sums.append((values, total))
    series = (
        Series(f"{name}_bucket", (*labels, "le"), buckets),
        Series(f"{name}_count", labels, counts),
        Series(f"{name}_sum", labels, sums),
    )
    return Family(name, MetricKind.HISTOGRAM, help_, series)


def each(connections: Iterable[Json], *path: str) -> Iterator[Sample]:
    """Yield one member of each connection, by the connection's name."""
    for c in connections:
        value: Any = c
        for name in path:
            value = value[name] if value is not None else None
        yield (c["connection"],), value


def by_name(counts: Mapping[str, int]) -> Iterator[Sample]:
    """Yield counts in the order of their names."""
    yield from (((name,), count) for name, count in sorted(counts.items()))


def type_of(name: str) -> str:
    """Return the type of a group or a connection."""
    return name.partition(":")[0]
