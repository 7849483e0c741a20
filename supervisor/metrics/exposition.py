"""The text that Prometheus scrapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from prometheus_client import ProcessCollector

from traptor.supervisor.metrics.families import families
from traptor.supervisor.metrics.family import Family, MetricKind, Series
from traptor.supervisor.metrics.text import TextWriter

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Exposition:
    """Makes the text from a status, with the metrics of this process; for one thread at a time.

    One status has one text, however often it is asked for.
    A counter never falls while the supervisor runs: a stream whose end is dated back makes its seconds fewer,
    and then the last value stays until it is passed.
    """

    def __init__(self) -> None:
        self._writer = TextWriter()
        self._process = ProcessCollector(registry=None)
        self._made: tuple[Mapping[str, Any], bytes] | None = None

    def text(self, status: Mapping[str, Any]) -> bytes:
        """Return all metrics, in Prometheus' text format."""
        if self._made is None or self._made[0] is not status:
            text = self._writer.text_of(chain(self._of_this_process(), families(status)))
            self._made = status, text
        return self._made[1]

    def _of_this_process(self) -> Iterator[Family]:
        for metric in self._process.collect():
            series = tuple(
                Series(sample.name, tuple(sample.labels), [(tuple(sample.labels.values()), sample.value)])
                for sample in metric.samples
            )
            yield Family(series[0].name, MetricKind(metric.type), metric.documentation, series)
