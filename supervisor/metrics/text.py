"""Write metrics in Prometheus' text format (0.0.4).

prometheus-client writes it too, but checks and escapes every name of every sample: with 50 connections that
takes five times as long, and the supervisor's loop has other work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from traptor.supervisor.metrics.family import Family, Series

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})
_VALUES_KEPT = 10_000  # names of connections, keys and the like: most of them come with every scrape
_UNUSUAL = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}


class TextWriter:
    """Writes one text after the other, in which no counter falls.

    A counter that would be less than in the last text keeps its value. What is gone is forgotten.
    """

    def __init__(self) -> None:
        self._highest: dict[str, float] = {}
        self._before: dict[str, float] = {}

    def text_of(self, metrics: Iterable[Family]) -> bytes:
        """Return the metrics with their help, type and samples."""
        self._before, self._highest = self._highest, {}
        return "".join(line for metric in metrics for line in self._lines(metric)).encode()

    def _lines(self, metric: Family) -> Iterator[str]:
        yield f"# HELP {metric.name} {metric.help.translate(_HELP_ESCAPES)}\n"
        yield f"# TYPE {metric.name} {metric.kind}\n"
        for series in metric.series:
            samples = _written(series)
            if metric.kind.only_grows:
                samples = self._not_falling(samples)
            yield from [f"{head} {_number(value)}\n" for head, value in samples]

    def _not_falling(self, samples: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
        before = self._before
        now = {head: max(value, before.get(head, value)) for head, value in samples}
        self._highest.update(now)
        return list(now.items())


def _written(series: Series) -> list[tuple[str, float]]:
    """Return each sample's name with its labels, and its value."""
    labels = ",".join(f'{label}="%s"' for label in series.labels)
    form = f"{series.name}{{{labels}}}" if labels else series.name
    return [
        (form % tuple(map(_escaped, values)), float(value))
        for values, value in series.samples
        if value is not None
    ]


@lru_cache(_VALUES_KEPT)
def _escaped(value: str) -> str:
    return value.translate(_ESCAPES)


def _number(value: float) -> str:
    text = repr(value)
    return _UNUSUAL.get(text, text)
