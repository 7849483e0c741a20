"""Build one metric: its name, its help, and its samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

Json = Mapping[str, Any]
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


def each(connections: Iterable[Json], *path: str) -> Iterator[Sample]:
    """Yield one member of each connection, by the connection's name."""
    for c in connections:
        value: Any = c
        for name in path:
            value = value[name] if value is not None else None
        yield (c["connection"],), value
