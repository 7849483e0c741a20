"""The text is what prometheus-client would write, and no counter in it falls."""

from __future__ import annotations

import math

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from traptor.common.timing.latencies import step_names
from traptor.supervisor.metrics.family import Family, counter, gauge, histogram
from traptor.supervisor.metrics.text import TextWriter

AWKWARD = ('a "quoted" \\ name', "two\nlines", "%s {} ü", "")


def theirs(metric: Metric) -> list[Metric]:
    class Fixed:
        def collect(self) -> list[Metric]:
            return [metric]

    registry = CollectorRegistry()
    registry.register(Fixed())  # type: ignore[arg-type]
    return list(text_string_to_metric_families(generate_latest(registry).decode()))


def ours(family: Family) -> list[Metric]:
    return list(text_string_to_metric_families(TextWriter().text_of([family]).decode()))


@pytest.mark.parametrize("name", AWKWARD)
def test_names_of_any_kind_are_written_as_prometheus_client_writes_them(name: str) -> None:
    metric = GaugeMetricFamily("traptor_thing", f"Help of {name}.", labels=("one", "other"))
    metric.add_metric((name, "b"), 2.5)
    assert ours(gauge("thing", f"Help of {name}.", ("one", "other"), [((name, "b"), 2.5)])) == theirs(metric)


@pytest.mark.parametrize("value", [0, True, 7, 1e300, -0.25, 1795428000.123, math.inf, -math.inf])
def test_numbers_are_written_as_prometheus_client_writes_them(value: float) -> None:
    metric = CounterMetricFamily("traptor_things", "Things.")
    metric.add_metric((), value)
    assert ours(counter("things", "Things.", (), [((), value)])) == theirs(metric)


def test_a_histogram_is_written_as_prometheus_client_writes_it() -> None:
    steps = step_names()
    bounds = [*(str(float(step)) for step in steps[:-1]), "+Inf"]
    metric = HistogramMetricFamily("traptor_time", "Time.", labels=("connection",))
    metric.add_metric(("a",), [(bound, n + 1.0) for n, bound in enumerate(bounds)], 9.5)
    counts = dict.fromkeys(steps, 1)
    [mine], [other] = (
        ours(histogram("time", "Time.", ("connection",), [(("a",), counts, 9.5)])),
        theirs(metric),
    )
    assert sorted(mine.samples, key=str) == sorted(other.samples, key=str)
    assert (mine.name, mine.type, mine.documentation) == (other.name, other.type, other.documentation)


def test_what_has_no_value_is_not_written() -> None:
    [metric] = ours(gauge("thing", "Thing.", ("one",), [(("a",), None), (("b",), 0)]))
    assert [sample.labels["one"] for sample in metric.samples] == ["b"]


def test_counters_do_not_fall_and_gauges_do() -> None:
    writer = TextWriter()
    for value, kept in ((5, 5), (3, 5), (6, 6)):
        samples = [(("a",), value)]
        text = writer.text_of([counter("x", "X.", ("c",), samples), gauge("y", "Y.", ("c",), samples)])
        assert f'traptor_x_total{{c="a"}} {kept}.0\n'.encode() in text
        assert f'traptor_y{{c="a"}} {value}.0\n'.encode() in text
    writer.text_of([])
    assert b" 1.0\n" in writer.text_of([counter("x", "X.", ("c",), [(("a",), 1)])]), "it was gone meanwhile"
