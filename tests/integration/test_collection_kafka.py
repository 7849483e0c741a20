"""A whole collection that delivers to a real Kafka."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.collection import Collection, Key
from support.kafka import KafkaProcess, all_messages, header, running_kafka
from support.waiting import wait_for

Make = Callable[..., Collection]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaProcess]:
    with running_kafka(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def kafka(running: KafkaProcess) -> Iterator[KafkaProcess]:
    yield running
    running.resume()


def deliver(collection: Collection, kafka: KafkaProcess, topic: str, **options: object) -> None:
    """Have a collection deliver to a topic, with rules and tweets for one connection."""
    library = {name.replace("__", "."): value for name, value in options.items()}
    collection.options = {
        "traptor": {"output": "kafka"},
        "kafka": {"bootstrap_servers": kafka.bootstrap_servers, "topic": topic, **library},
    }
    collection.add_rules("track:0", ["storm"])
    collection.sandbox.set_rules([("track", "storm")])


def read_to_the_end(collection: Collection) -> int:
    """No more tweets are made; how many the open streams carried, all of them received."""
    collection.sandbox.stop_timeline()

    def received() -> int:
        sent = sum(c["tweets"] for c in collection.sandbox.connections())
        return sent if collection.connection("track:0")["total"]["received"] == sent else 0

    return wait_for(received, "every tweet that was sent is received")


def check(collection: Collection) -> subprocess.CompletedProcess[str]:
    collection.write_ini()
    command = [sys.executable, "-m", "traptor.supervisor", "-c", str(collection.ini), "--check"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def undelivered(collection: Collection) -> list[dict[str, Any]]:
    files = (collection.folder / "state" / "undelivered").glob("*.jsonl")
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_every_tweet_arrives_once_over_a_refresh(make_collection: Make, kafka: KafkaProcess) -> None:
    """Checked first, then collected; a refresh on the way, through a spare key, doubles and loses nothing."""
    collection = make_collection(Key("k1"), Key("k2"))
    deliver(collection, kafka, "whole", create_topic="yes")
    checked = check(collection)
    assert checked.returncode == 0, checked.stdout
    assert "Kafka answers: topic whole (not there, it will be created)." in checked.stdout
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    wait_for(lambda: collection.connection("track:0")["total"]["delivered"] > 20, "tweets are delivered")
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    collection.wait_new_pid("track:0", pid)
    delivered = collection.connection("track:0")["total"]["delivered"]
    wait_for(lambda: collection.connection("track:0")["total"]["delivered"] > delivered + 20, "more of them")
    collection.sandbox.stop_timeline()
    assert collection.stop() == 0
    messages = all_messages(kafka, "whole")
    by_generation: dict[str | None, set[bytes]] = {}
    for message in messages:
        tweet = json.loads(message.value() or b"")
        assert message.key() == tweet["id_str"].encode()
        assert header(message, "traptor-connection") == "track:0"
        assert (
            header(message, "traptor-rules") == tweet["traptor"]["collection_rules"][0]["rule_id"] == "storm"
        )
        key = message.key()
        assert isinstance(key, bytes)
        of_generation = by_generation.setdefault(header(message, "traptor-generation"), set())
        assert key not in of_generation
        of_generation.add(key)
    assert sorted(map(str, by_generation)) == ["1", "2"]
    opened = min(c["opened_mono"] for c in collection.sandbox.connections())
    made = {
        tweet["id"] for tweet in collection.sandbox.tweets() if tweet["for"] and tweet["made_mono"] > opened
    }
    missing = made - {key.decode() for keys in by_generation.values() for key in keys}
    assert not missing
    assert undelivered(collection) == []


def test_a_missing_topic_is_a_problem_of_the_check_and_keeps_workers_from_starting(
    make_collection: Make, kafka: KafkaProcess
) -> None:
    collection = make_collection(Key("k1"))
    deliver(collection, kafka, "missing")
    checked = check(collection)
    assert checked.returncode == 1
    assert "error: Kafka: Kafka has no topic missing: create it" in " ".join(checked.stdout.split())
    collection.start()
    collection.wait_log("the output cannot be used", "Kafka has no topic missing")
    kafka.create_topic("missing")
    collection.wait_streaming("track:0")


def test_the_check_says_that_kafka_is_away_and_shows_no_secret(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.options = {
        "traptor": {"output": "kafka"},
        "kafka": {
            "bootstrap_servers": "127.0.0.1:1",
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "traptor",
            "sasl.password": "SECRET-sasl",
        },
    }
    checked = check(collection)
    assert checked.returncode == 1
    assert "error: Kafka: 127.0.0.1:1: " in checked.stdout
    assert "SECRET" not in checked.stdout + checked.stderr


def test_a_worker_waits_for_kafka_at_its_start_and_ends_when_it_is_told_to(
    make_collection: Make, kafka: KafkaProcess
) -> None:
    collection = make_collection(Key("k1"))
    deliver(collection, kafka, "late", create_topic="yes")
    kafka.pause()
    collection.options["supervisor"] = {"hang_timeout": "3s"}
    collection.start()
    collection.wait_log("waiting for Kafka", within_s=60)
    assert collection.status()["connections"][0]["serving"]["generation"] == 1  # it does not crash or hang
    assert collection.stop() == 0
    kafka.resume()
    collection.start()
    collection.wait_streaming("track:0")


def test_while_kafka_stands_still_the_stream_waits_and_nothing_is_lost(
    make_collection: Make, kafka: KafkaProcess
) -> None:
    """The queue is full, the socket is not read, and nobody calls that a hang; then all arrives, once."""
    collection = make_collection(Key("k1"), sandbox=("--rate", "300"))
    deliver(collection, kafka, "still", create_topic="yes", queue__buffering__max__messages=200, linger__ms=5)
    collection.options["supervisor"] = {"hang_timeout": "3s"}
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    wait_for(lambda: collection.connection("track:0")["total"]["delivered"] > 20, "tweets are delivered")
    kafka.pause()
    line = collection.wait_log("waiting for Kafka to take messages", "unconfirmed=", name="track:0")
    assert int(line.partition("unconfirmed=")[2].split()[0]) > 200
    accepted = collection.connection("track:0")["total"]["accepted"]
    wait_for(
        lambda: sum(c["tweets"] for c in collection.sandbox.connections()) > accepted + 500, "more are sent"
    )
    total = collection.connection("track:0")["total"]
    assert total["received"] - total["delivered"] <= 201  # what the queue holds, and one in hand
    kafka.resume()
    collection.wait_log("Kafka works", name="track:0")
    sent = read_to_the_end(collection)
    assert collection.stop() == 0
    assert collection.gaps("track:0") == [] or {gap["cause"] for gap in collection.gaps("track:0")} <= {
        "start",
        "shutdown",
    }
    assert f"pid={pid} why=drained" in collection.wait_log("worker ended", "track:0")
    keys = [message.key() for message in all_messages(kafka, "still")]
    assert len(keys) == len(set(keys)) == sent


def test_what_kafka_does_not_confirm_in_the_time_of_a_stop_is_in_a_file(
    make_collection: Make, kafka: KafkaProcess
) -> None:
    collection = make_collection(Key("k1"))
    deliver(collection, kafka, "stopped", create_topic="yes", linger__ms=5)
    collection.options["supervisor"] = {"drain_timeout": "4s"}
    collection.start()
    collection.wait_streaming("track:0")
    wait_for(lambda: collection.connection("track:0")["total"]["delivered"] > 20, "tweets are delivered")
    kafka.pause()
    delivered = collection.connection("track:0")["total"]["delivered"]
    wait_for(lambda: collection.connection("track:0")["total"]["received"] > delivered + 20, "more come")
    sent = read_to_the_end(collection)
    assert collection.stop() == 0
    line = collection.wait_log("messages are not delivered", "state/undelivered/track:0-1.jsonl")
    kept = undelivered(collection)
    assert f"count={len(kept)} " in line
    assert all(record["value"]["id_str"] == record["key"] for record in kept)
    kafka.resume()
    keys = {message.key() for message in all_messages(kafka, "stopped")}
    assert len(keys | {record["key"].encode() for record in kept}) == sent
