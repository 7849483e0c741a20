"""The Kafka sink on a real broker: what arrives there, and what becomes of what does not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Message
from support.kafka import KafkaProcess, all_messages, header
from support.outgoing import other, tweet
from support.waiting import DEADLINE_S, wait_for

from traptor.common.errors import SinkError
from traptor.worker.kafka import KafkaSink
from traptor.worker.outgoing import Outgoing, SinkStopped

MakeSink = Callable[..., KafkaSink]

CREATED_MS = 1_600_000_000_000


def soon(seconds: float = DEADLINE_S) -> float:
    return time.monotonic() + seconds


def is_settled(sink: KafkaSink) -> bool:
    counts = sink.counts
    return counts.accepted == counts.delivered + counts.failed


def ids(messages: list[Message]) -> list[int]:
    return [int(message.key() or b"-1") for message in messages]


def kept(folder: Path) -> list[dict[str, object]]:
    """What is in the file of undelivered messages."""
    file = folder / "undelivered" / "track:0-3.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


# ---- what arrives


def test_a_message_arrives_as_it_is_with_key_time_and_headers(
    kafka: KafkaProcess, topic: str, make_sink: MakeSink
) -> None:
    sink = make_sink(kafka.bootstrap_servers, topic=topic)
    sink.open()
    body = '{"id_str":"7","text":"ü \\ud83d"}'.encode()
    sink.send(Outgoing(body=body, tweet_id="7", rule_ids=("r1", "r2"), created_at_ms=CREATED_MS))
    sink.send(Outgoing(body=b'{"delete":{}}', tweet_id=None, rule_ids=()))
    assert sink.drain(soon()) == 0
    assert (sink.counts.accepted, sink.counts.delivered, sink.counts.failed) == (2, 2, 0)
    found = {message.key(): message for message in all_messages(kafka, topic)}
    assert set(found) == {b"7", None}
    assert found[b"7"].value() == body
    assert found[b"7"].timestamp() == (1, CREATED_MS)  # 1: CreateTime
    assert found[b"7"].headers() == [
        ("content-type", b"application/json"),
        ("traptor-connection", b"track:0"),
        ("traptor-generation", b"3"),
        ("traptor-rules", b"r1,r2"),
    ]
    assert found[None].value() == b'{"delete":{}}'
    assert header(found[None], "traptor-rules") is None


def test_tweets_go_to_the_partitions_that_javas_clients_would_choose(
    kafka: KafkaProcess, topic: str, make_sink: MakeSink
) -> None:
    """Hashes: Kafka's own UtilsTest.testMurmur2; the partition is the positive hash modulo 3."""
    hashes = {"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536}
    sink = make_sink(kafka.bootstrap_servers, topic=topic)
    sink.open()
    for key in hashes:
        sink.send(Outgoing(body=b"{}", tweet_id=key, rule_ids=()))
    assert sink.drain(soon()) == 0
    partitions = {
        (message.key() or b"").decode(): message.partition() for message in all_messages(kafka, topic)
    }
    assert partitions == {key: (number & 0x7FFFFFFF) % 3 for key, number in hashes.items()}


def test_no_message_is_lost_doubled_or_out_of_order(kafka: KafkaProcess, make_sink: MakeSink) -> None:
    kafka.create_topic("in-order", partitions=1)
    sink = make_sink(kafka.bootstrap_servers, topic="in-order")
    sink.open()
    for number in range(5000):
        sink.send(tweet(number, filler=1000))
    assert sink.drain(soon()) == 0
    assert ids(all_messages(kafka, "in-order")) == list(range(5000))


def test_reports_come_while_nothing_is_sent(kafka: KafkaProcess, topic: str, make_sink: MakeSink) -> None:
    sink = make_sink(kafka.bootstrap_servers, topic=topic)
    sink.open()
    sink.send(tweet(1))
    wait_for(lambda: sink.counts.delivered == 1, "the report of one message")


def test_other_messages_go_to_a_topic_of_their_own(
    kafka: KafkaProcess, topic: str, make_sink: MakeSink
) -> None:
    kafka.create_topic(f"{topic}-rest")
    sink = make_sink(kafka.bootstrap_servers, topic=topic, other_messages=f"{topic}-rest")
    sink.open()
    sink.send(tweet(1))
    sink.send(other(2))
    assert sink.drain(soon()) == 0
    assert ids(all_messages(kafka, topic)) == [1]
    assert [message.value() for message in all_messages(kafka, f"{topic}-rest")] == [b'{"delete": 2}']


def test_other_messages_can_be_dropped(kafka: KafkaProcess, topic: str, make_sink: MakeSink) -> None:
    sink = make_sink(kafka.bootstrap_servers, topic=topic, other_messages="drop")
    sink.open()
    sink.send(other(2))
    assert sink.counts.accepted == 0
    assert sink.drain(soon()) == 0
    assert all_messages(kafka, topic) == []


# ---- topics


def test_a_missing_topic_is_said_with_what_to_do_and_not_created(
    kafka: KafkaProcess, make_sink: MakeSink
) -> None:
    sink = make_sink(kafka.bootstrap_servers, topic="nowhere")
    with pytest.raises(SinkError, match=r"no topic nowhere: create it, .* \[kafka\] create_topic = yes"):
        sink.open()
    with pytest.raises(SinkError):  # the question did not make it
        sink.open()


def test_missing_topics_are_created_where_that_is_asked_for(kafka: KafkaProcess, make_sink: MakeSink) -> None:
    sink = make_sink(kafka.bootstrap_servers, topic="made", other_messages="made-too", create_topic=True)
    sink.open()
    sink.send(tweet(1))
    sink.send(other(1))
    assert sink.drain(soon()) == 0
    assert len(all_messages(kafka, "made")) == len(all_messages(kafka, "made-too")) == 1


def test_an_impossible_name_of_a_topic_is_an_error(kafka: KafkaProcess, make_sink: MakeSink) -> None:
    with pytest.raises(SinkError, match="TOPIC_EXCEPTION"):
        make_sink(kafka.bootstrap_servers, topic="..").open()


@pytest.mark.parametrize(
    "option", [{"no_such": "1"}, {"compression_type": "zip"}, {"security_protocol": "sasl_ssl2"}]
)
def test_an_option_that_librdkafka_refuses_is_an_error_that_names_it(
    option: dict[str, str], make_sink: MakeSink
) -> None:
    with pytest.raises(SinkError, match=r"^\[kafka\]: .*look at the options with a dot"):
        make_sink("127.0.0.1:1", **option).open()


# ---- Kafka away


@pytest.mark.long
def test_it_waits_for_a_broker_that_is_away_at_the_start(
    kafka: KafkaProcess, topic: str, make_sink: MakeSink, caplog: pytest.LogCaptureFixture
) -> None:
    kafka.kill()
    sink = make_sink(kafka.bootstrap_servers, topic=topic)
    thread = in_thread(sink.open)
    wait_for(lambda: "waiting for Kafka" in caplog.text, "it says that it waits")
    assert sink.waiting_since is not None
    kafka.start()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert sink.waiting_since is None
    sink.send(tweet(1))
    assert sink.drain(soon()) == 0
    assert caplog.text.count("waiting for Kafka") == 1


def test_a_wait_for_a_broker_ends_at_once_when_it_is_told_to(make_sink: MakeSink) -> None:
    sink = make_sink("127.0.0.1:1")
    ended: list[BaseException] = []

    def open_it() -> None:
        try:
            sink.open()
        except SinkStopped as error:
            ended.append(error)

    thread = in_thread(open_it)
    wait_for(lambda: sink.waiting_since is not None, "it waits")
    sink.stop_waiting()
    thread.join(DEADLINE_S)
    assert ended
    assert sink.drain(soon()) == 0


def test_a_broker_that_stands_still_makes_it_wait_and_nothing_is_lost(
    kafka: KafkaProcess, topic: str, make_sink: MakeSink, caplog: pytest.LogCaptureFixture
) -> None:
    sink = make_sink(kafka.bootstrap_servers, topic=topic, queue_buffering_max_messages="500")
    sink.open()
    sink.send(tweet(0))
    wait_for(lambda: is_settled(sink), "the first message arrives")
    kafka.pause()
    thread = in_thread(lambda: [sink.send(tweet(number)) for number in range(1, 2000)])
    wait_for(lambda: sink.waiting_since is not None, "it waits for room")
    wait_for(lambda: "waiting for Kafka to take messages" in caplog.text, "it says so")
    accepted = sink.counts.accepted
    assert 500 <= accepted < 1000
    assert sink.counts.delivered == 1
    kafka.resume()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert sink.drain(soon()) == 0
    assert sorted(ids(all_messages(kafka, topic))) == list(range(2000))
    assert "Kafka works" in caplog.text


@pytest.mark.long
def test_a_broker_that_is_killed_and_comes_back_loses_and_doubles_nothing(
    kafka: KafkaProcess, make_sink: MakeSink
) -> None:
    kafka.create_topic("killed", partitions=1)
    sink = make_sink(kafka.bootstrap_servers, topic="killed", queue_buffering_max_messages="1000")
    sink.open()
    ended = threading.Event()

    def send() -> None:
        number = 0
        while not ended.is_set() or number < 5000:
            sink.send(tweet(number))
            number += 1
            ended.wait(0.0002)

    thread = in_thread(send)
    wait_for(lambda: sink.counts.delivered > 500, "messages arrive")
    kafka.kill()
    wait_for(lambda: sink.waiting_since is not None, "it waits for room")
    kafka.start()
    before = sink.counts.delivered
    wait_for(lambda: sink.counts.delivered > before + 1500, "messages arrive again")
    ended.set()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert sink.drain(soon()) == 0
    assert ids(all_messages(kafka, "killed")) == list(range(sink.counts.accepted))


@pytest.mark.long
def test_what_librdkafka_gives_up_for_want_of_time_is_sent_again(
    kafka: KafkaProcess, topic: str, make_sink: MakeSink, caplog: pytest.LogCaptureFixture
) -> None:
    sink = make_sink(kafka.bootstrap_servers, topic=topic, message_timeout_ms="1000")
    sink.open()
    kafka.pause()
    for number in range(50):
        sink.send(tweet(number))
    wait_for(lambda: "messages are sent to Kafka again" in caplog.text, "librdkafka gives up")
    assert sink.counts.failed == 0
    kafka.resume()
    wait_for(lambda: is_settled(sink), "all are confirmed")
    assert sink.counts.failed == 0
    assert set(ids(all_messages(kafka, topic))) == set(range(50))
    assert sink.drain(soon()) == 0


# ---- what Kafka does not take


def test_a_message_too_large_is_kept_in_a_file_and_the_others_arrive(
    kafka: KafkaProcess, topic: str, make_sink: MakeSink, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = make_sink(kafka.bootstrap_servers, topic=topic, message_max_bytes="2000")
    sink.open()
    sink.send(tweet(1))
    sink.send(tweet(2, filler=3000))
    sink.send(tweet(3, filler=3000))
    sink.send(tweet(4))
    assert sink.drain(soon()) == 0
    assert (sink.counts.delivered, sink.counts.failed) == (2, 2)
    assert sorted(ids(all_messages(kafka, topic))) == [1, 4]
    first, second = kept(tmp_path)
    assert second["key"] == "3"
    assert first == {
        "reason": first["reason"],
        "topic": topic,
        "key": "2",
        "time_ms": 0,
        "headers": {
            "content-type": "application/json",
            "traptor-connection": "track:0",
            "traptor-generation": "3",
            "traptor-rules": "1",
        },
        "value": {"id": 2, "filler": "x" * 3000},
    }
    assert str(first["reason"]).startswith("MSG_SIZE_TOO_LARGE")
    assert caplog.text.count("Kafka does not take messages") == 1  # the other is counted, and said later


def test_a_message_too_large_for_its_topic_is_kept_in_a_file_and_the_others_arrive(
    kafka: KafkaProcess, make_sink: MakeSink, tmp_path: Path
) -> None:
    kafka.create_topic("small", max_message_bytes="3000")
    sink = make_sink(kafka.bootstrap_servers, topic="small", compression_type="none")
    sink.open()
    for number in range(1, 100):
        sink.send(tweet(number, filler=5000 if number == 7 else 200))
    assert sink.drain(soon()) == 0
    assert [record["key"] for record in kept(tmp_path)] == ["7"]
    assert sorted(ids(all_messages(kafka, "small"))) == [n for n in range(1, 100) if n != 7]


def test_messages_for_a_topic_that_was_deleted_are_kept_in_a_file(
    kafka: KafkaProcess, topic: str, make_sink: MakeSink, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = make_sink(kafka.bootstrap_servers, topic=topic, topic_metadata_propagation_max_ms="1000")
    sink.open()
    kafka.delete_topic(topic)
    sent = 0

    def is_refused() -> bool:
        nonlocal sent
        sink.send(tweet(sent))
        sent += 1
        return sink.counts.failed > 0

    wait_for(is_refused, "Kafka refuses messages", 60)
    assert sink.drain(soon(60)) == 0
    assert sink.counts.failed == sent == len(kept(tmp_path))
    assert any("create the topic" in str(getattr(record, "fields", "")) for record in caplog.records)


def test_what_is_not_confirmed_when_a_drain_ends_is_kept_and_said(
    kafka: KafkaProcess, topic: str, make_sink: MakeSink, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = make_sink(kafka.bootstrap_servers, topic=topic)
    sink.open()
    sink.send(tweet(0))
    wait_for(lambda: is_settled(sink), "the first message arrives")
    kafka.pause()
    for number in range(1, 301):
        sink.send(tweet(number, filler=100))
    assert sink.drain(soon(2)) == 300
    assert (sink.counts.accepted, sink.counts.delivered, sink.counts.failed) == (301, 1, 300)
    assert sorted(int(str(record["key"])) for record in kept(tmp_path)) == list(range(1, 301))
    assert {str(record["reason"]) for record in kept(tmp_path)} == {
        "not confirmed in time; it may have arrived"
    }
    assert f"count=300 file={tmp_path}" in caplog.text or "messages are not delivered" in caplog.text


def test_a_message_whose_wait_was_ended_is_kept_with_the_others(
    kafka: KafkaProcess, topic: str, make_sink: MakeSink, tmp_path: Path
) -> None:
    sink = make_sink(kafka.bootstrap_servers, topic=topic, queue_buffering_max_messages="10")
    sink.open()
    kafka.pause()
    sink.stop_waiting()
    for number in range(10):
        sink.send(tweet(number))
    with pytest.raises(SinkStopped):
        sink.send(tweet(10))
    assert sink.drain(soon(1)) == 11
    assert sorted(int(str(record["key"])) for record in kept(tmp_path)) == list(range(11))


def test_after_a_fatal_error_another_producer_goes_on_and_nothing_is_lost(
    kafka: KafkaProcess, topic: str, make_sink: MakeSink, caplog: pytest.LogCaptureFixture
) -> None:
    """librdkafka cannot be led into a fatal error from outside: it is told to the producer as one."""
    sink = make_sink(kafka.bootstrap_servers, topic=topic)
    sink.open()
    kafka.pause()
    for number in range(100):
        sink.send(tweet(number))
    producer = sink._producer
    assert producer is not None
    producer._on_error(KafkaError(KafkaError._FATAL, "made up", fatal=True))
    wait_for(lambda: "begun anew" in caplog.text, "another producer")
    kafka.resume()
    for number in range(100, 200):
        sink.send(tweet(number))
    assert sink.drain(soon()) == 0
    assert sink.counts.failed == 0
    assert set(ids(all_messages(kafka, topic))) == set(range(200))
