"""The text that Prometheus scrapes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from traptor.supervisor.metrics.families import families

__all__ = ["CONTENT_TYPE_LATEST", "Exposition"]


class Exposition:
    """Makes the text from a status, with the metrics of this process; for one thread at a time.

    A counter never falls while the supervisor runs: a stream whose end is dated back makes its seconds fewer,
    and then the last value stays until it is passed.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._collector = _StatusCollector()
        self._registry.register(self._collector)
        ProcessCollector(registry=self._registry)

    def text(self, status: Mapping[str, Any]) -> bytes:
        """Return all metrics, in Prometheus' text format."""
        self._collector.status = status
        return generate_latest(self._registry)


class _StatusCollector(Collector):
    def __init__(self) -> None:
        self.status: Mapping[str, Any] | None = None
        self._marks = HighWaterMarks()

    def collect(self) -> Iterable[Metric]:
        return self._marks.kept(families(self.status)) if self.status is not None else ()

    def describe(self) -> Iterable[Metric]:
        return ()  # nothing is asked before the first scrape


class HighWaterMarks:
    """Keeps the highest value of each counter's sample; samples that are gone are forgotten."""

    def __init__(self) -> None:
        self._highest: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}

    def kept(self, metrics: Iterable[Metric]) -> Iterator[Metric]:
        """Yield the metrics, with no counter below its value of the last call."""
        before, self._highest = self._highest, {}
        for metric in metrics:
            if metric.type in ("counter", "histogram"):
                metric.samples = [
                    sample._replace(value=self._mark(before, sample.name, sample.labels, sample.value))
                    for sample in metric.samples
                ]
            yield metric

    def _mark(
        self,
        before: Mapping[tuple[str, tuple[tuple[str, str], ...]], float],
        name: str,
        labels: Mapping[str, str],
        value: float,
    ) -> float:
        place = (name, tuple(sorted(labels.items())))
        highest = self._highest[place] = max(value, before.get(place, value))
        return highest
