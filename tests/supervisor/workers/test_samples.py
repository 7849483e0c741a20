"""Samples reach whoever listens to their connection, and a slow listener costs nobody memory."""

from __future__ import annotations

from traptor.common.messages import Sample
from traptor.supervisor.workers.samples import Samples

ONE, TWO = Sample([b"1"], 0, True), Sample([b"2"], 0, True)


def test_every_listener_of_the_connection_gets_each_sample() -> None:
    samples = Samples()
    samples.take("track:0", ONE)  # nobody listens
    with samples.listen("track:0") as first, samples.listen("track:0") as second:
        with samples.listen("follow:0") as other:
            samples.take("track:0", ONE)
        samples.take("track:0", TWO)
        assert [first.get_nowait(), first.get_nowait()] == [ONE, TWO]
        assert second.qsize() == 2
        assert other.empty()
    samples.take("track:0", ONE)


def test_a_listener_that_reads_nothing_misses_what_has_no_room() -> None:
    samples = Samples()
    with samples.listen("track:0") as queue:
        for _ in range(1000):
            samples.take("track:0", ONE)
        assert queue.full()
        assert queue.qsize() < 100
