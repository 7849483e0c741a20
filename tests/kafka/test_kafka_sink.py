"""Delivery to a real broker: what arrives there, and what becomes of what does not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Message
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from support.kafka import KafkaProcess, all_messages, codecs, give_write_right, header, take_write_right
from support.outgoing import other, tweet
from support.waiting import DEADLINE_S, wait_for

from traptor.common.errors import SinkError
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.outbox.message import DeliveryCounts, Outgoing

Make = Callable[..., Delivery]

CREATED_MS = 1_600_000_000_000


def soon(seconds: float = DEADLINE_S) -> float:
    return time.monotonic() + seconds


def ids(messages: list[Message]) -> list[int]:
    return [int(message.key() or b"-1") for message in messages]


def put_aside(folder: Path) -> list[dict[str, object]]:
    """What is in the file of dead letters."""
    file = folder / "dead-letters" / "track:0.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


# ---- what arrives


def test_a_message_arrives_as_it_is_with_key_time_and_headers(
    kafka: KafkaProcess, topic: str, make: Make
) -> None:
    delivery = make(kafka.bootstrap_servers, topic=topic)
    delivery.open()
    body = '{"id_str":"7","text":"ü \\ud83d"}'.encode()
    delivery.send(Outgoing(body=body, tweet_id="7", rule_ids=("r1", "r2"), created_at_ms=CREATED_MS))
    delivery.send(Outgoing(body=b'{"delete":{}}', tweet_id=None, rule_ids=()))
    assert delivery.drain(soon()) == 0
    assert delivery.counts == DeliveryCounts(accepted=2, delivered=2)
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
    kafka: KafkaProcess, topic: str, make: Make
) -> None:
    """Hashes: Kafka's own UtilsTest.testMurmur2; the partition is the positive hash modulo 3."""
    hashes = {"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536}
    delivery = make(kafka.bootstrap_servers, topic=topic)
    delivery.open()
    for key in hashes:
        delivery.send(Outgoing(body=b"{}", tweet_id=key, rule_ids=()))
    assert delivery.drain(soon()) == 0
    partitions = {
        (message.key() or b"").decode(): message.partition() for message in all_messages(kafka, topic)
    }
    assert partitions == {key: (number & 0x7FFFFFFF) % 3 for key, number in hashes.items()}


@pytest.mark.parametrize("asked", [None, "gzip"])
def test_what_is_sent_is_compressed_only_where_that_is_asked_for(
    kafka: KafkaProcess, topic: str, make: Make, asked: str | None
) -> None:
    options = {} if asked is None else {"compression_type": asked}
    delivery = make(kafka.bootstrap_servers, topic=topic, **options)
    delivery.open()
    for number in range(100):
        delivery.send(tweet(number, filler=1000))
    assert delivery.drain(soon()) == 0
    assert codecs(kafka, topic) == {asked or "none"}


def test_no_message_is_lost_doubled_or_out_of_order(kafka: KafkaProcess, make: Make) -> None:
    kafka.create_topic("in-order", partitions=1)
    delivery = make(kafka.bootstrap_servers, topic="in-order")
    delivery.open()
    for number in range(5000):
        delivery.send(tweet(number, filler=1000))
    assert delivery.drain(soon()) == 0
    assert ids(all_messages(kafka, "in-order")) == list(range(5000))


def test_reports_come_while_nothing_is_sent(kafka: KafkaProcess, topic: str, make: Make) -> None:
    delivery = make(kafka.bootstrap_servers, topic=topic)
    delivery.open()
    delivery.send(tweet(1))
    wait_for(lambda: delivery.counts.delivered == 1, "the report of one message")


def test_other_messages_go_to_a_topic_of_their_own(kafka: KafkaProcess, topic: str, make: Make) -> None:
    kafka.create_topic(f"{topic}-rest")
    delivery = make(kafka.bootstrap_servers, topic=topic, other_messages=f"{topic}-rest")
    delivery.open()
    delivery.send(tweet(1))
    delivery.send(other(2))
    assert delivery.drain(soon()) == 0
    assert ids(all_messages(kafka, topic)) == [1]
    assert [message.value() for message in all_messages(kafka, f"{topic}-rest")] == [b'{"delete": 2}']


def test_other_messages_can_be_dropped(kafka: KafkaProcess, topic: str, make: Make) -> None:
    delivery = make(kafka.bootstrap_servers, topic=topic, other_messages="drop")
    delivery.open()
    delivery.send(other(2))
    assert delivery.counts.accepted == 0
    assert delivery.drain(soon()) == 0
    assert all_messages(kafka, topic) == []


# ---- topics


def test_a_missing_topic_is_said_with_what_to_do_and_not_created(kafka: KafkaProcess, make: Make) -> None:
    delivery = make(kafka.bootstrap_servers, topic="nowhere")
    with pytest.raises(SinkError, match=r"no topic nowhere: create it, .* \[kafka\] create_topic = yes"):
        delivery.open()
    with pytest.raises(SinkError):  # the question did not make it
        delivery.open()


def test_missing_topics_are_created_where_that_is_asked_for(kafka: KafkaProcess, make: Make) -> None:
    delivery = make(kafka.bootstrap_servers, topic="made", other_messages="made-too", create_topic=True)
    delivery.open()
    delivery.send(tweet(1))
    delivery.send(other(1))
    assert delivery.drain(soon()) == 0
    assert len(all_messages(kafka, "made")) == len(all_messages(kafka, "made-too")) == 1


def test_an_impossible_name_of_a_topic_is_an_error(kafka: KafkaProcess, make: Make) -> None:
    with pytest.raises(SinkError, match="TOPIC_EXCEPTION"):
        make(kafka.bootstrap_servers, topic="..").open()


@pytest.mark.parametrize(
    "option", [{"no_such": "1"}, {"compression_type": "zip"}, {"security_protocol": "sasl_ssl2"}]
)
def test_an_option_that_librdkafka_refuses_is_an_error_that_names_it(
    option: dict[str, str], make: Make
) -> None:
    with pytest.raises(SinkError, match=r"^\[kafka\]: .*look at the options with a dot"):
        make("127.0.0.1:1", **option).open()


# ---- Kafka away


@pytest.mark.long
def test_a_stream_may_begin_while_the_brokers_are_away_and_nothing_is_lost(
    kafka: KafkaProcess, topic: str, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    kafka.kill()
    delivery = make(kafka.bootstrap_servers, topic=topic)
    delivery.open()
    assert delivery.has_room.is_set()
    for number in range(10):
        delivery.send(tweet(number))
    wait_for(lambda: delivery.outbox_bytes, "they are in the outbox")
    kafka.start()
    wait_for(lambda: delivery.counts.delivered == 10, "all are confirmed")
    assert sorted(ids(all_messages(kafka, topic))) == list(range(10))
    assert caplog.text.count("waiting for Kafka") == 1
    assert caplog.text.count("Kafka is reached") == 1


def test_a_wait_for_a_broker_ends_at_once_when_it_is_told_to(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("traptor.worker.sinks.kafka.sink.REACH_S", 10 * DEADLINE_S)
    delivery = make("127.0.0.1:1")
    thread = in_thread(delivery.open)
    wait_for(lambda: "kafka" in [thread.name for thread in threading.enumerate()], "it waits")
    delivery.stop_waiting()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert delivery.drain(soon()) == 0


def test_kafka_that_comes_back_after_a_wait_was_ended_is_reached_for_the_drain(
    kafka: KafkaProcess, topic: str, make: Make
) -> None:
    kafka.pause()
    delivery = make(kafka.bootstrap_servers, topic=topic)
    delivery.stop_waiting()
    delivery.open()
    delivery.send(tweet(1))
    kafka.resume()
    assert delivery.drain(soon()) == 0
    assert ids(all_messages(kafka, topic)) == [1]


def test_while_a_broker_stands_still_the_outbox_grows_and_then_all_arrives_once(
    kafka: KafkaProcess, topic: str, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = make(kafka.bootstrap_servers, topic=topic, queue_buffering_max_messages="500")
    delivery.open()
    delivery.send(tweet(0))
    wait_for(lambda: delivery.counts.delivered == 1, "the first message arrives")
    kafka.pause()
    for number in range(1, 2000):
        delivery.send(tweet(number))
    wait_for(lambda: delivery.outbox_bytes > 1999 * 20, "all are in the outbox")
    assert delivery.backlog == 1999
    wait_for(lambda: "messages wait in the outbox" in caplog.text, "it says so")
    assert delivery.counts == DeliveryCounts(accepted=2000, delivered=1)
    kafka.resume()
    wait_for(lambda: delivery.backlog == 0, "the outbox is empty")
    assert delivery.counts == DeliveryCounts(accepted=2000, delivered=2000)
    assert sorted(ids(all_messages(kafka, topic))) == list(range(2000))
    wait_for(lambda: "all that waited in the outbox is delivered" in caplog.text, "it says so, too")


@pytest.mark.long
def test_a_broker_that_is_killed_and_comes_back_loses_and_doubles_nothing(
    kafka: KafkaProcess, make: Make
) -> None:
    kafka.create_topic("killed", partitions=1)
    delivery = make(kafka.bootstrap_servers, topic="killed", queue_buffering_max_messages="1000")
    delivery.open()
    ended = threading.Event()

    def send() -> None:
        number = 0
        while not ended.is_set() or number < 5000:
            delivery.send(tweet(number))
            number += 1
            ended.wait(0.0002)

    thread = in_thread(send)
    wait_for(lambda: delivery.counts.delivered > 500, "messages arrive")
    kafka.kill()
    wait_for(lambda: delivery.backlog > 1500, "messages wait in the outbox")
    kafka.start()
    before = delivery.counts.delivered
    wait_for(lambda: delivery.counts.delivered > before + 1500, "messages arrive again")
    ended.set()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert delivery.drain(soon()) == 0
    assert sorted(ids(all_messages(kafka, "killed"))) == list(range(delivery.counts.accepted))


@pytest.mark.long
def test_what_librdkafka_gives_up_for_want_of_time_is_sent_again(
    kafka: KafkaProcess, topic: str, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = make(kafka.bootstrap_servers, topic=topic, message_timeout_ms="1000")
    delivery.open()
    kafka.pause()
    for number in range(50):
        delivery.send(tweet(number))
    wait_for(lambda: "messages are sent to Kafka again" in caplog.text, "librdkafka gives up")
    assert delivery.backlog == 50
    kafka.resume()
    wait_for(lambda: delivery.backlog == 0, "all are confirmed")
    assert delivery.counts == DeliveryCounts(accepted=50, delivered=50)
    messages = all_messages(kafka, topic)
    assert set(ids(messages)) == set(range(50))
    assert {header(message, "traptor-redelivered") for message in messages} <= {None, "true"}
    assert "true" in [header(message, "traptor-redelivered") for message in messages]


def test_what_a_drain_cannot_deliver_is_delivered_by_the_next_generation(
    kafka: KafkaProcess, topic: str, make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = make(kafka.bootstrap_servers, topic=topic, generation=3)
    first.open()
    first.send(tweet(0))
    wait_for(lambda: first.counts.delivered == 1 and first.backlog == 0, "the first message arrives")
    kafka.pause()
    for number in range(1, 301):
        first.send(tweet(number, filler=100))
    assert first.drain(soon(1)) == 300
    assert first.counts == DeliveryCounts(accepted=301, delivered=1)
    kafka.resume()
    second = make(kafka.bootstrap_servers, topic=topic, generation=4)
    second.open()
    second.send(tweet(301))
    wait_for(lambda: second.backlog == 0, "all are confirmed")
    assert second.counts == DeliveryCounts(accepted=1, delivered=1, redelivered=300)
    messages = all_messages(kafka, topic)
    assert set(ids(messages)) == set(range(302))
    by_second = [message for message in messages if header(message, "traptor-redelivered") == "true"]
    assert sorted(ids(by_second)) == list(range(1, 301))
    assert {header(message, "traptor-generation") for message in by_second} == {"3"}
    (live,) = [message for message in messages if header(message, "traptor-generation") == "4"]
    assert (ids([live]), header(live, "traptor-redelivered")) == ([301], None)
    assert put_aside(tmp_path) == []
    assert "an outbox is taken over" in caplog.text
    assert second.drain(soon()) == 0
    assert list((tmp_path / "outbox" / "track:0").iterdir()) == [], "no outbox is left"


def test_after_a_fatal_error_another_producer_goes_on_and_nothing_is_lost(
    kafka: KafkaProcess, topic: str, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """librdkafka cannot be led into a fatal error from outside: it is told to the producer as one."""
    delivery = make(kafka.bootstrap_servers, topic=topic)
    delivery.open()
    kafka.pause()
    for number in range(100):
        delivery.send(tweet(number))
    producer = delivery._sink._producers._producer  # type: ignore[attr-defined]
    producer._on_error(KafkaError(KafkaError._FATAL, "made up", fatal=True))
    wait_for(lambda: "restarted" in caplog.text, "another producer")
    kafka.resume()
    for number in range(100, 200):
        delivery.send(tweet(number))
    assert delivery.drain(soon()) == 0
    assert delivery.counts == DeliveryCounts(accepted=200, delivered=200)
    assert set(ids(all_messages(kafka, topic))) == set(range(200))


# ---- what Kafka does not take


def test_a_message_too_large_is_put_aside_in_a_file_and_the_others_arrive(
    kafka: KafkaProcess, topic: str, make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = make(kafka.bootstrap_servers, topic=topic, message_max_bytes="2000")
    delivery.open()
    delivery.send(tweet(1))
    delivery.send(tweet(2, filler=3000))
    delivery.send(tweet(3, filler=3000))
    delivery.send(tweet(4))
    assert delivery.drain(soon()) == 0
    assert delivery.counts == DeliveryCounts(accepted=4, delivered=2, dead_letters=2)
    assert sorted(ids(all_messages(kafka, topic))) == [1, 4]
    first, second = put_aside(tmp_path)
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
    (said,) = [r for r in caplog.records if r.message == "Kafka rejects messages"]  # the other one later
    assert said.fields["advice"].startswith("raise message.max.bytes in [kafka] above 3")  # type: ignore[attr-defined]  # ours


def test_a_message_too_large_for_its_topic_goes_to_the_dead_letter_topic_where_there_is_one(
    kafka: KafkaProcess, make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kafka.create_topic("small", max_message_bytes="3000")
    kafka.create_topic("small.dlq")
    delivery = make(kafka.bootstrap_servers, topic="small", compression_type="none")
    delivery.open()
    for number in range(1, 100):
        delivery.send(tweet(number, filler=5000 if number == 7 else 200))
    assert delivery.drain(soon()) == 0
    assert delivery.counts == DeliveryCounts(accepted=99, delivered=98, dead_letters=1)
    assert sorted(ids(all_messages(kafka, "small"))) == [n for n in range(1, 100) if n != 7]
    (letter,) = all_messages(kafka, "small.dlq")
    assert (letter.key(), letter.value()) == (b"7", tweet(7, filler=5000).body)
    assert header(letter, "traptor-connection") == "track:0"
    assert header(letter, "traptor.error.topic") == "small"
    assert header(letter, "traptor.error.class") == "MSG_SIZE_TOO_LARGE"
    assert (header(letter, "traptor.error.message") or "").startswith("MSG_SIZE_TOO_LARGE: ")
    assert header(letter, "traptor.error.stage") == "deliver"
    (said,) = [r for r in caplog.records if r.message == "Kafka rejects messages"]
    assert said.fields["advice"].startswith("raise max.message.bytes of the topic above 5")  # type: ignore[attr-defined]  # ours
    assert put_aside(tmp_path) == []


def lower_limit(kafka: KafkaProcess, topic: str, most_bytes: int) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    entry = ConfigEntry("max.message.bytes", str(most_bytes), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(DEADLINE_S)


def test_small_messages_go_in_smaller_batches_when_the_topics_limit_is_lowered(
    kafka: KafkaProcess, make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Together they are too large for it, and each by itself is not."""
    kafka.create_topic("lowered", partitions=1)
    delivery = make(kafka.bootstrap_servers, topic="lowered", compression_type="none", linger_ms="500")
    delivery.open()
    delivery.send(tweet(1, filler=200))
    wait_for(lambda: delivery.counts.delivered == 1, "the first arrives")
    lower_limit(kafka, "lowered", 3000)
    for number in range(2, 60):
        delivery.send(tweet(number, filler=5000 if number == 7 else 200))
    wait_for(lambda: delivery.backlog == 0, "all are delivered or put aside")
    assert delivery.drain(soon()) == 0
    assert (delivery.counts.delivered, delivery.counts.dead_letters) == (58, 1)
    assert sorted(set(ids(all_messages(kafka, "lowered")))) == [n for n in range(1, 60) if n != 7]
    assert [letter["key"] for letter in put_aside(tmp_path)] == ["7"]
    assert "the topics take batches up to 3000 bytes now" in str(
        [getattr(record, "fields", {}) for record in caplog.records]
    )


@pytest.mark.parametrize("refused_by", ["librdkafka", "the broker"])
def test_a_tweet_too_large_for_its_rules_arrives_with_their_ids(
    kafka: KafkaProcess, make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture, refused_by: str
) -> None:
    topic = f"cut-by-{refused_by.split()[-1]}"
    kafka.create_topic(topic, **({"max_message_bytes": "3000"} if refused_by == "the broker" else {}))
    options = {} if refused_by == "the broker" else {"message_max_bytes": "3000"}
    delivery = make(kafka.bootstrap_servers, topic=topic, **options)
    delivery.open()
    head = b'{"id_str":"1","text":"x","traptor":{"id_str":0,"collection_rules":['
    large = head + b'{"rule_id":"r1","tag":"' + b"t" * 5000 + b'"}],"collection":{"generation":3}}}'
    delivery.send(Outgoing(body=large, tweet_id="1", rule_ids=("r1",)))
    delivery.send(tweet(2))
    assert delivery.drain(soon()) == 0
    assert delivery.counts == DeliveryCounts(accepted=2, delivered=2)
    found = {message.key(): message for message in all_messages(kafka, topic)}
    assert found[b"1"].value() == (
        head + b'{"rule_id":"r1","truncated":true}],"collection":{"generation":3}}}'
    )
    assert header(found[b"1"], "traptor-rules") == "r1"
    assert put_aside(tmp_path) == []
    assert caplog.text.count("rules of a tweet are cut to their ids") == 1


@pytest.mark.parametrize("refused_by", ["librdkafka", "the broker"])
def test_what_the_dead_letter_topic_refuses_is_put_aside_in_a_file_as_it_first_was(
    kafka: KafkaProcess, topic: str, make: Make, tmp_path: Path, refused_by: str
) -> None:
    limits = {"max_message_bytes": "1000"} if refused_by == "the broker" else {}
    kafka.create_topic(f"{topic}.dlq", **limits)
    delivery = make(kafka.bootstrap_servers, topic=topic, message_max_bytes="2000")
    delivery.open()
    sent = tweet(1, filler=3000)
    delivery.send(sent)
    assert delivery.drain(soon()) == 0
    assert delivery.counts == DeliveryCounts(accepted=1, dead_letters=1)
    assert all_messages(kafka, f"{topic}.dlq") == []
    (record,) = put_aside(tmp_path)
    assert record["topic"] == topic
    assert record["value"] == json.loads(sent.body)
    assert "traptor.error.topic" not in str(record["headers"])


def test_dead_letters_that_nothing_takes_stay_in_the_outbox(
    kafka: KafkaProcess, topic: str, make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "dead-letters").touch()
    delivery = make(kafka.bootstrap_servers, topic=topic, message_max_bytes="2000")
    delivery.open()
    delivery.send(tweet(1, filler=3000))
    delivery.send(tweet(2))
    wait_for(lambda: delivery.counts.delivered == 1, "the other one arrives")
    wait_for(lambda: "dead letters cannot be stored" in caplog.text, "it says so")
    assert delivery.backlog > 0
    (tmp_path / "dead-letters").unlink()
    wait_for(lambda: delivery.counts.dead_letters == 1, "it is put aside")
    assert [record["key"] for record in put_aside(tmp_path)] == ["1"]
    wait_for(lambda: delivery.backlog == 0, "the outbox is empty")


def test_messages_for_a_topic_that_was_deleted_wait_until_it_is_there_again(
    kafka: KafkaProcess, topic: str, make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    delivery = make(kafka.bootstrap_servers, topic=topic, topic_metadata_propagation_max_ms="1000")
    delivery.open()
    kafka.delete_topic(topic)
    sent = 0

    def is_missed() -> bool:
        nonlocal sent
        delivery.send(tweet(sent))
        sent += 1
        return "the topic is gone, messages wait for it" in caplog.text

    wait_for(is_missed, "Kafka has no such topic", 60)
    gone = [record for record in caplog.records if record.message.startswith("the topic is gone")]
    assert [record.levelname for record in gone] == ["ERROR"], "at most once a minute"
    assert "create the topic" in str(gone[0].__dict__["fields"])
    kafka.create_topic(topic)
    wait_for(
        lambda: caplog.messages[-1] == "all that waited in the outbox is delivered", "its end is said", 60
    )
    assert delivery.drain(soon(60)) == 0
    assert delivery.counts == DeliveryCounts(accepted=sent, delivered=sent)
    assert set(ids(all_messages(kafka, topic))) == set(range(sent))
    assert put_aside(tmp_path) == []


def test_messages_for_a_topic_that_may_not_be_written_any_more_are_put_aside_until_it_may(
    kafka: KafkaProcess, topic: str, make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = make(kafka.bootstrap_servers, topic=topic)
    delivery.open()
    delivery.send(tweet(1))
    wait_for(lambda: delivery.counts.delivered == 1, "the first message arrives")
    sent = 1

    def one_more_until(is_so: Callable[[], bool]) -> Callable[[], bool]:
        def sends() -> bool:
            nonlocal sent
            sent += 1
            delivery.send(tweet(sent))
            return is_so()

        return sends

    take_write_right(kafka, topic)
    wait_for(one_more_until(lambda: delivery.counts.dead_letters > 0), "Kafka refuses messages")
    give_write_right(kafka, topic)
    before = delivery.counts.delivered
    wait_for(one_more_until(lambda: delivery.counts.delivered > before), "messages arrive again")
    assert delivery.drain(soon()) == 0
    refused = [int(str(record["key"])) for record in put_aside(tmp_path)]
    assert refused
    assert sorted(ids(all_messages(kafka, topic)) + refused) == list(range(1, sent + 1))
    assert delivery.counts.dead_letters == len(refused)
    assert any("give this user the right" in str(getattr(record, "fields", "")) for record in caplog.records)
