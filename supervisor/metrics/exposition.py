"""The text that Prometheus scrapes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from prometheus_client import ProcessCollector
from prometheus_client.core import Metric

from traptor.supervisor.metrics.families import families
from traptor.supervisor.metrics.text import text_of

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Exposition:
    """Makes the text from a status, with the metrics of this process; for one thread at a time.

    A counter never falls while the supervisor runs: a stream whose end is dated back makes its seconds fewer,
    and then the last value stays until it is passed.
    """

    def __init__(self) -> None:
        self._marks = HighWaterMarks()
        self._process = ProcessCollector(registry=None)

    def text(self, status: Mapping[str, Any]) -> bytes:
        """Return all metrics, in Prometheus' text format."""
        return text_of(chain(self._process.collect(), self._marks.kept(families(status))))


class HighWaterMarks:
    """Keeps the highest value of each counter's sample; samples that are gone are forgotten."""

    def __init__(self) -> None:
        self._highest: dict[tuple[str, ...], float] = {}

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
        before: Mapping[tuple[str, ...], float],
        name: str,
        labels: Mapping[str, str],
        value: float,
    ) -> float:
        place = (name, *labels.values())  # the labels of one metric have one order
        highest = self._highest[place] = max(value, before.get(place, value))
        return highest
