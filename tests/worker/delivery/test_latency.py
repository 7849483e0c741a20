"""How long messages took is counted by steps, the same that the metrics have."""

from __future__ import annotations

import pytest

from traptor.common.timing.latencies import BEYOND, STEPS_S, step_names, step_of
from traptor.worker.delivery.latency import Latency


@pytest.mark.parametrize(
    ("seconds", "step"),
    [(-1.0, "0.1"), (0.0, "0.1"), (0.1, "0.1"), (0.11, "0.25"), (1.0, "1"), (300.0, "300"), (301.0, BEYOND)],
)
def test_a_time_belongs_to_the_first_step_that_is_not_less(seconds: float, step: str) -> None:
    assert step_of(seconds) == step


def test_every_step_has_a_name_and_there_is_one_beyond_all() -> None:
    assert len(step_names()) == len(STEPS_S) + 1
    assert [float(name) for name in step_names()[:-1]] == list(STEPS_S)


def test_messages_are_counted_by_steps_and_their_times_added() -> None:
    latency = Latency()
    latency.add(0.05, 10)
    latency.add(2.0, 3)
    latency.at_once += 5
    latency.add(-0.001, 1)  # clocks of two threads
    assert latency.by_step() == {"0.1": 16, "2.5": 3}
    assert latency.total_ms == 6500
