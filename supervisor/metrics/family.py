"""Build one metric: its name, its help, and its samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from traptor.common.latencies import BEYOND, step_names

Json = Mapping[str, Any]
_BOUNDS = tuple("+Inf" if name == BEYOND else str(float(name)) for name in step_names())
Sample = tuple[tuple[str, ...], float | None]
"""The values of the labels, and the value; None: there is none to show."""


def gauge(name: str, help_: str, labels: tuple[str, ...], samples: Iterable[Sample]) -> Metric:
    """Return a value that goes up and down."""
    family = GaugeMetricFamily(f"traptor_{name}", help_, labels=labels)
    for values, value in samples:
        if value is not None:
            family.add_metric(values, float(value))
    return family


def counter(name: str, help_: str, labels: tuple[str, ...], samples: Iterable[Sample]) -> Metric:
    """Return a value that only grows; `_total` is added to its name."""
    family = CounterMetricFamily(f"traptor_{name}", help_, labels=labels)
    for values, value in samples:
        if value is not None:
            family.add_metric(values, float(value))
    return family


def histogram(
    name: str, help_: str, labels: tuple[str, ...], steps: Iterable[tuple[tuple[str, ...], Json, float]]
) -> Metric:
    """Return how often a value was in each step: for each series, counts by step and the sum."""
    family = HistogramMetricFamily(f"traptor_{name}", help_, labels=labels)
    for values, counts, total in steps:
        so_far = accumulate(counts.get(step, 0) for step in step_names())
        buckets = [(bound, float(n)) for bound, n in zip(_BOUNDS, so_far, strict=True)]
        family.add_metric(values, buckets, total)
    return family


def each(connections: Iterable[Json], *path: str) -> Iterator[Sample]:
    """Yield one member of each connection, by the connection's name."""
    for c in connections:
        value: Any = c
        for name in path:
            value = value[name] if value is not None else None
        yield (c["connection"],), value
