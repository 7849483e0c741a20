"""Clusters and topics that are made anew under a running worker: nothing is lost, and delivery goes on."""

from __future__ import annotations

import gc
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Message
from confluent_kafka.admin import AdminClient, NewPartitions
from kafka_parts.reader import TopicReader
from kafka_parts.remains import kept_messages
from support.kafka import KafkaProcess, all_messages, header, running_kafka
from support.leftovers import Leftovers
from support.outgoing import tweet
from support.waiting import DEADLINE_S, wait_for

from traptor.worker.delivery.delivery import Delivery

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

Make = Callable[..., Delivery]

REBUILT_S = 120.0  # a broker of Java starts meanwhile, on a machine that may be busy


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[KafkaProcess]:
    """A broker of the test's own, which it may rebuild."""
    with running_kafka(tmp_path / "kafka") as broker:
        yield broker


class Sender:
    """Sends tweets in a thread, a few a second, so that some are on their way whatever happens."""

    def __init__(self, delivery: Delivery) -> None:
        self.sent = 0
        self._delivery = delivery
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Sender:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        self._ended.set()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    def _send(self) -> None:
        while not self._ended.wait(0.01):
            self._delivery.send(tweet(self.sent))
            self.sent += 1


def ids(messages: list[Message]) -> Counter[int]:
    return Counter(int(message.key() or b"-1") for message in messages)


@contextmanager
def messages_of(former: KafkaProcess, topic: str) -> Iterator[list[Message]]:
    former.start()
    try:
        yield all_messages(former, topic)
    finally:
        former.stop()


def check_all_arrived(sent: int, *parts: list[Message]) -> None:
    """Each tweet is somewhere; what is there more than once says that it may be."""
    found = [message for part in parts for message in part]
    counts = ids(found)
    assert [number for number in range(sent) if not counts[number]] == []
    repeated = ids([message for message in found if header(message, "traptor-redelivered") == "true"])
    assert {number: n for number, n in counts.items() if n - repeated[number] > 1} == {}


def begun_anew(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Why other producers were begun."""
    records = [record for record in caplog.records if record.message == "the Kafka producer is restarted"]
    return [record.fields["error"] for record in records]  # type: ignore[attr-defined]  # ours


def confirmed_at_last(delivery: Delivery, sender: Sender) -> int:
    """How many are delivered when none of the last hundred was: a partition may take some for a while."""

    def is_over() -> bool:
        nonlocal confirmed
        before, sent, confirmed = confirmed, sender.sent, delivery.counts.delivered
        wait_for(lambda: sender.sent >= sent + 100, "more are sent")
        return confirmed == before

    confirmed = -1
    wait_for(is_over, "none is confirmed any more", REBUILT_S)
    return confirmed


@pytest.mark.parametrize(
    "partitions",
    [
        pytest.param(3, id="with as many partitions"),
        pytest.param(1, id="with fewer partitions"),
        pytest.param(5, id="with more partitions"),
    ],
)
def test_a_cluster_rebuilt_with_an_empty_folder_gets_all_that_waited(
    kafka: KafkaProcess, make: Make, caplog: pytest.LogCaptureFixture, partitions: int
) -> None:
    """Its id is another, its topic made anew, with as many partitions as before, fewer or more."""
    kafka.create_topic("posts", partitions=3)
    delivery = make(kafka.bootstrap_servers, topic="posts")
    delivery.open()
    with Sender(delivery) as sender:
        wait_for(lambda: delivery.counts.delivered > 100, "messages arrive")
        former = kafka.rebuild()
        wait_for(lambda: "waiting for Kafka" in caplog.text, "it is missed", REBUILT_S)
        kafka.start()
        kafka.create_topic("posts", partitions=partitions)
        before = delivery.counts.delivered
        wait_for(lambda: delivery.counts.delivered > before + 200, "messages arrive again", REBUILT_S)
        sender.end()
        wait_for(lambda: delivery.backlog == 0, "all is delivered", REBUILT_S)
    assert delivery.counts.dead_letters == 0
    assert delivery.counts.delivered == sender.sent
    with messages_of(former, "posts") as before_it:
        check_all_arrived(sender.sent, before_it, all_messages(kafka, "posts"))
    reasons = begun_anew(caplog)
    assert reasons.count("it is another cluster") == 1
    # Both producers had the first producer id of their cluster. What the first one had in hand at the end of
    # its cluster went to partitions of that one; the new cluster then refuses one of them there, sooner or
    # later than the other's end is known.
    more = [reason for reason in reasons if reason != "it is another cluster"]
    assert all(re.search(r"OUT_OF_ORDER_SEQUENCE_NUMBER: .* posts \[[0-2]\] ", reason) for reason in more)


def test_a_cluster_whose_id_alone_changed_gets_all_and_nothing_twice(
    kafka: KafkaProcess, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """As where an address leads to another cluster that has the topic too, here with what it held before."""
    kafka.create_topic("posts")
    delivery = make(kafka.bootstrap_servers, topic="posts")
    delivery.open()
    with Sender(delivery) as sender:
        wait_for(lambda: delivery.counts.delivered > 100, "messages arrive")
        kafka.stop()
        file = kafka.data / "meta.properties"
        file.write_text(re.sub("cluster.id=.*", f"cluster.id={ANOTHER_ID}", file.read_text()))
        wait_for(lambda: "waiting for Kafka" in caplog.text, "it is missed", REBUILT_S)
        kafka.start()
        before = delivery.counts.delivered
        wait_for(lambda: delivery.counts.delivered > before + 200, "messages arrive again", REBUILT_S)
        sender.end()
        wait_for(lambda: delivery.backlog == 0, "all is delivered", REBUILT_S)
    assert delivery.counts.dead_letters == 0
    assert delivery.counts.delivered == sender.sent
    check_all_arrived(sender.sent, all_messages(kafka, "posts"))
    assert begun_anew(caplog) == ["it is another cluster"]


ANOTHER_ID = "abcdefghijklmnopqrstuv"


def test_a_topic_that_gets_more_partitions_goes_on_with_all_of_them(
    kafka: KafkaProcess, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    kafka.create_topic("posts", partitions=1)
    delivery = make(kafka.bootstrap_servers, topic="posts", topic_metadata_refresh_interval_ms="1000")
    delivery.open()
    with Sender(delivery) as sender:
        wait_for(lambda: delivery.counts.delivered > 100, "messages arrive")
        add_partitions(kafka, "posts", 3)
        with TopicReader(kafka.bootstrap_servers, "posts") as reader:
            wait_for(lambda: all(reader.ends().values()), "all partitions get messages", REBUILT_S)
        sender.end()
        wait_for(lambda: delivery.backlog == 0, "all is delivered", REBUILT_S)
    assert delivery.counts.delivered == sender.sent
    found = all_messages(kafka, "posts")
    assert {message.partition() for message in found} == {0, 1, 2}
    assert ids(found) == dict.fromkeys(range(sender.sent), 1)
    assert begun_anew(caplog) == []


def add_partitions(kafka: KafkaProcess, topic: str, total: int) -> None:
    client = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    client.create_partitions([NewPartitions(topic, total)])[topic].result(DEADLINE_S)

    def known() -> int:
        return len(client.list_topics(topic, timeout=DEADLINE_S).topics[topic].partitions)

    wait_for(lambda: known() == total, "the broker knows of them")


@pytest.mark.parametrize(
    "partitions", [pytest.param(3, id="with as many partitions"), pytest.param(1, id="with fewer partitions")]
)
def test_a_topic_that_is_deleted_and_made_anew_gets_all_that_comes_meanwhile(
    kafka: KafkaProcess, make: Make, caplog: pytest.LogCaptureFixture, partitions: int
) -> None:
    kafka.create_topic("posts", partitions=3)
    kafka.stop()
    kafka.start()  # so that the leaders' epochs are not the first ones
    delivery = make(
        kafka.bootstrap_servers,
        topic="posts",
        confirm_timeout_s=3.0,
        topic_metadata_propagation_max_ms="1000",
    )
    delivery.open()
    with Sender(delivery) as sender:
        wait_for(lambda: delivery.counts.delivered > 100, "messages arrive")
        confirmed = delivery.counts.delivered
        kept = kafka.keep_topic("posts")
        kafka.delete_topic("posts")
        wait_for(lambda: "the topic is gone, messages wait for it" in caplog.text, "it is said", REBUILT_S)
        lost_with_it = confirmed_at_last(delivery, sender)
        kafka.create_topic("posts", partitions=partitions)
        wait_for(lambda: delivery.counts.delivered > lost_with_it + 200, "messages arrive again", REBUILT_S)
        sender.end()
        wait_for(lambda: delivery.backlog == 0, "all is delivered", REBUILT_S)
    assert delivery.counts.dead_letters == 0
    assert delivery.counts.delivered == sender.sent
    there = ids(all_messages(kafka, "posts"))
    before_it = {int(message.key or b"-1") for message in kept_messages(kept)}
    assert [number for number in range(sender.sent) if not there[number] and number not in before_it] == []
    assert all(there[number] for number in range(sender.sent - 200, sender.sent))
    assert confirmed <= lost_with_it


def test_what_a_cluster_that_is_rebuilt_again_and_again_takes_is_given_back(
    kafka: KafkaProcess, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the help of Python's search for garbage, for which a worker gives little occasion."""
    kafka.create_topic("posts")
    delivery = make(kafka.bootstrap_servers, topic="posts")
    gc.collect()
    gc.disable()
    left = Leftovers()
    try:
        delivery.open()
        with Sender(delivery):
            wait_for(lambda: delivery.counts.delivered > 100, "messages arrive")
            at_first = len(left.now)
            for times in (1, 2, 3):
                kafka.rebuild()
                kafka.start()
                kafka.create_topic("posts")
                wait_for(lambda n=times: len(begun_anew(caplog)) == n, "a producer is begun anew", REBUILT_S)
                before = delivery.counts.delivered
                wait_for(lambda n=before: delivery.counts.delivered > n, "messages arrive again", REBUILT_S)
                wait_for(lambda: len(left.now) <= at_first, "all else is let go", REBUILT_S)
    finally:
        gc.enable()


def test_a_producer_that_is_stuck_for_no_known_reason_is_replaced_after_the_time(
    kafka: KafkaProcess, make: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rebuilt cluster passes for the former one: only that it confirms nothing gives it away."""
    caplog.set_level("INFO")
    monkeypatch.setattr("traptor.worker.sinks.kafka.producers.changes", lambda *_: [])
    kafka.create_topic("posts")
    delivery = make(kafka.bootstrap_servers, topic="posts", confirm_timeout_s=3.0)
    delivery.open()
    with Sender(delivery) as sender:
        wait_for(lambda: delivery.counts.delivered > 100, "messages arrive")
        assert delivery.unconfirmed_since is None
        former = kafka.rebuild()
        kafka.start()
        kafka.create_topic("posts")
        wait_for(lambda: delivery.unconfirmed_since is not None, "it is shown")
        before = delivery.counts.delivered
        wait_for(lambda: delivery.counts.delivered > before + 200, "messages arrive again", REBUILT_S)
        sender.end()
        wait_for(lambda: delivery.backlog == 0, "all is delivered", REBUILT_S)
        wait_for(lambda: delivery.unconfirmed_since is None, "it is not shown any more")
    with messages_of(former, "posts") as before_it:
        check_all_arrived(sender.sent, before_it, all_messages(kafka, "posts"))
    assert begun_anew(caplog) == ["Kafka answers and confirms nothing"]
    said = [message for message in caplog.messages if "confirms" in message]
    assert said == ["the output confirms nothing", "the output confirms messages again"]
