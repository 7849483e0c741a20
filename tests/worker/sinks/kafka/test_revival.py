"""When another producer has to go on; the time is passed in."""

from __future__ import annotations

import pytest

from traptor.worker.sinks.kafka.revival import Cluster, FatalPace, Revival, TopicState, changes

BEFORE = Cluster("c1", {"posts": TopicState("t1", 3)})


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (BEFORE, []),
        (Cluster("c1", {"posts": TopicState("t1", 6)}), []),  # librdkafka takes more of them in by itself
        (Cluster("c1", {"posts": TopicState("t1", 3, leaderless=(1,))}), []),
        (Cluster("c2", {"posts": TopicState("t2", 3)}), ["it is another cluster"]),
        (Cluster("c1", {"posts": TopicState("t2", 3)}), ["topic posts was made anew"]),
        (Cluster(None, {"posts": TopicState("t2", 3)}), ["topic posts was made anew"]),
        (
            Cluster("c1", {"posts": TopicState("t2", 1)}),
            ["topic posts was made anew", "topic posts has 1 of 3 partitions left"],
        ),
        (Cluster(None, {"posts": TopicState("", 3)}), []),  # an old cluster tells no ids
        (Cluster("c1", {"others": TopicState("t2", 3)}), []),
    ],
)
def test_a_producer_does_not_outlive_its_cluster_or_topic(now: Cluster, expected: list[str]) -> None:
    assert changes(BEFORE, now) == expected


def test_it_is_due_once_nothing_was_confirmed_for_the_time_though_kafka_answers() -> None:
    revival = Revival(60.0)
    assert not revival.is_due(unconfirmed_since=100.0, now=159.0)
    assert revival.is_due(unconfirmed_since=100.0, now=160.0)


def test_a_producer_gets_the_whole_time_after_kafka_came_back() -> None:
    """Else each long outage would end with messages sent twice."""
    revival = Revival(60.0)
    revival.was_away(500.0)
    assert not revival.is_due(unconfirmed_since=100.0, now=559.0)
    assert revival.is_due(unconfirmed_since=100.0, now=560.0)


def test_after_each_producer_that_did_not_help_the_wait_is_doubled() -> None:
    revival = Revival(60.0)
    begun = []
    for now in range(100, 1000):
        if revival.is_due(unconfirmed_since=100.0, now=float(now)):
            revival.begun(unconfirmed_since=100.0, now=float(now))
            begun.append(now)
    assert begun == [160, 280, 520]


def test_the_wait_is_the_first_again_when_messages_were_confirmed_meanwhile() -> None:
    revival = Revival(60.0)
    revival.begun(unconfirmed_since=100.0, now=160.0)
    revival.begun(unconfirmed_since=100.0, now=280.0)
    assert not revival.is_due(unconfirmed_since=300.0, now=359.0)
    assert revival.is_due(unconfirmed_since=300.0, now=360.0)


def test_producers_that_break_one_after_the_other_are_replaced_ever_more_slowly() -> None:
    pace = FatalPace()
    replaced = []
    for now in range(200):
        if pace.is_due(float(now)):
            pace.replaced(float(now))
            replaced.append(now)
    assert replaced == [0, 1, 3, 7, 15, 31, 63, 123, 183]


def test_a_producer_that_worked_is_replaced_at_once() -> None:
    pace = FatalPace()
    for now in (0.0, 1.0, 3.0):
        pace.replaced(now)
    assert not pace.is_due(4.0)
    pace.confirmed()
    assert pace.is_due(4.0)
