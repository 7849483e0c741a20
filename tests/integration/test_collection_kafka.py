"""A whole collection that delivers to a real Kafka."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.collection import Collection, Json, Key
from support.kafka import KafkaProcess, all_messages, header, running_kafka
from support.paths import ROOT
from support.v2 import SANDBOX, on_v2, wait_filters
from support.waiting import wait_for

from traptor.sandbox.errors import SandboxError

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
    assert collection.programs is not None
    return collection.programs.run(["-m", "traptor.supervisor", "-c", str(collection.ini), "--check"])


def delivered(collection: Collection) -> int:
    return int(collection.connection("track:0")["total"]["delivered"])


def outbox(collection: Collection) -> int:
    """Messages that wait to be delivered, as the status has them."""
    return int(collection.connection("track:0")["outbox"]["messages"])


def nothing_is_left(collection: Collection) -> bool:
    """Whether neither an outbox nor a dead letter is in state_dir."""
    state = collection.folder / "state"
    return not list(state.glob("outbox/*/*")) and not list(state.glob("dead-letters/*"))


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
    assert nothing_is_left(collection)


def test_the_ini_of_the_page_about_moving_runs_as_it_stands(
    make_collection: Make, kafka: KafkaProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where things are is changed; it delivers what the original did, and beats for what it names."""
    key = Key("old")
    collection = make_collection(key)
    [shown] = re.findall(r"```ini\n(.*?)```", (ROOT / "docs" / "migrating.md").read_text(), re.DOTALL)
    for place, here in (
        ("kafka:9092", kafka.bootstrap_servers),
        ("redis://redis:6379/5", collection.redis_url),
        ("/var/lib/traptor/state", "state"),
        ("/run/traptor", "run"),
        ("/var/log/traptor", "logs"),
    ):
        assert place in shown
        shown = shown.replace(place, here)
    collection.ini.write_text(f"{shown}[twitter]\nstream_url = {collection.sandbox.url}\n")
    collection.ini.chmod(0o600)
    for name, text in key.account().items():
        monkeypatch.setenv(name.upper(), str(text))
    kafka.create_topic("traptor")
    rule = {"value": "flood warning", "tag": "floods", "orig_type": "keyword"}
    collection.redis.hset("traptor-track:0:1", mapping=rule)
    collection.start()
    collection.wait_streaming("track:0")
    collection.sandbox.set_rules([("track", "flood warning")])
    wait_for(lambda: collection.connection("track:0")["total"]["delivered"] > 5, "tweets are delivered")
    assert collection.redis.exists("track:0:heartbeat", "follow:0:heartbeat") == 2
    assert collection.stop() == 0
    for message in all_messages(kafka, "traptor"):
        added = json.loads(message.value() or b"")["traptor"]
        assert list(added) == ["id_str", "created_at_iso", "collection_rules"]
        [found] = added["collection_rules"]
        assert found == {**rule, "rule_id": "1", "rule_tag": "floods", "rule_value": "flood warning"}


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


def test_a_stream_begins_while_kafka_is_away_and_all_of_it_arrives(
    make_collection: Make, kafka: KafkaProcess
) -> None:
    collection = make_collection(Key("k1"))
    deliver(collection, kafka, "late", create_topic="yes")
    kafka.pause()
    collection.options["supervisor"] = {"hang_timeout": "3s"}
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    collection.wait_log("waiting for Kafka", "worker=track:0")
    wait_for(lambda: outbox(collection) > 20, "messages wait")
    kafka.resume()
    collection.wait_log("Kafka is reached", "worker=track:0")
    sent = read_to_the_end(collection)
    wait_for(lambda: delivered(collection) == sent, "all is delivered")
    assert collection.streaming() == {"track:0": pid}
    assert collection.stop() == 0
    keys = [message.key() for message in all_messages(kafka, "late")]
    assert len(keys) == len(set(keys)) == sent
    assert nothing_is_left(collection)


def test_a_worker_that_waits_for_kafka_at_its_start_ends_when_it_is_told_to(
    make_collection: Make, kafka: KafkaProcess
) -> None:
    collection = make_collection(Key("k1"))
    deliver(collection, kafka, "later", create_topic="yes")
    kafka.pause()
    collection.start()
    wait_for(lambda: collection.connection("track:0").get("serving"), "a worker is there")
    assert collection.stop() == 0
    assert "exit_code=0" in collection.wait_log("worker ended", "connection=track:0")


def test_while_kafka_stands_still_the_stream_goes_on_and_nothing_is_lost_or_doubled(
    make_collection: Make, kafka: KafkaProcess
) -> None:
    """The outbox grows beyond what librdkafka holds, and nobody calls that a hang; then all arrives, once."""
    collection = make_collection(Key("k1"), sandbox=("--rate", "300"))
    deliver(collection, kafka, "still", create_topic="yes", queue__buffering__max__messages=200, linger__ms=5)
    collection.options["supervisor"] = {"hang_timeout": "3s"}
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    wait_for(lambda: delivered(collection) > 20, "tweets are delivered")
    kafka.pause()
    wait_for(lambda: outbox(collection) > 1500, "the stream goes on, and messages wait")
    assert collection.connection("track:0")["outbox"]["bytes"] > 1000 * 100
    collection.wait_log("messages wait in the outbox", "worker=track:0")
    kafka.resume()
    sent = read_to_the_end(collection)
    wait_for(lambda: delivered(collection) == sent, "all is delivered")
    collection.wait_log("all that waited in the outbox is delivered", "worker=track:0")
    assert collection.stop() == 0
    assert {gap["cause"] for gap in collection.gaps("track:0")} <= {"start", "shutdown"}
    assert f"pid={pid} why=drained" in collection.wait_log("worker ended", "track:0")
    keys = [message.key() for message in all_messages(kafka, "still")]
    assert len(keys) == len(set(keys)) == sent
    assert nothing_is_left(collection)


@pytest.mark.long
def test_after_kafka_was_rebuilt_the_same_worker_delivers_to_it(
    make_collection: Make, tmp_path: Path
) -> None:
    """Another cluster at the same address, after a while; no hint, no new generation."""
    with running_kafka(tmp_path / "kafka") as kafka:
        collection = make_collection(Key("k1"))
        deliver(collection, kafka, "rebuilt", create_topic="yes")
        collection.options["supervisor"] = {"confirm_timeout": "3s"}
        collection.start()
        pid = collection.wait_streaming("track:0")["track:0"]
        wait_for(lambda: delivered(collection) > 20, "tweets are delivered")
        former = kafka.rebuild()
        collection.wait_log("the output confirms nothing", "worker=track:0", "ERROR")
        wait_for(lambda: collection.connection("track:0")["serving"]["unconfirmed_since"], "it is shown")
        kafka.start()
        collection.wait_log("the Kafka producer is restarted", "it is another cluster")
        sent = read_to_the_end(collection)
        wait_for(lambda: delivered(collection) == sent, "all is delivered")
        collection.wait_log("the output confirms messages again", "worker=track:0")
        wait_for(
            lambda: collection.connection("track:0")["serving"]["unconfirmed_since"] is None,
            "no longer shown",
        )
        assert collection.streaming() == {"track:0": pid}
        assert collection.stop() == 0
        after = {message.key() for message in all_messages(kafka, "rebuilt")}
        former.start()
        before = {message.key() for message in all_messages(former, "rebuilt")}
        former.stop()
    assert len(before | after) == sent
    assert nothing_is_left(collection)


def test_what_kafka_does_not_confirm_in_the_time_of_a_stop_is_delivered_by_the_next_start(
    make_collection: Make, kafka: KafkaProcess
) -> None:
    collection = make_collection(Key("k1"))
    deliver(collection, kafka, "stopped", create_topic="yes", linger__ms=5)
    collection.options["supervisor"] = {"drain_timeout": "4s"}
    collection.start()
    collection.wait_streaming("track:0")
    wait_for(lambda: delivered(collection) > 20, "tweets are delivered")
    kafka.pause()
    wait_for(lambda: outbox(collection) > 20, "messages wait")
    sent = read_to_the_end(collection)
    assert collection.stop() == 0
    collection.wait_log("worker left messages in its outbox", "connection=track:0")
    assert list((collection.folder / "state" / "outbox" / "track:0").iterdir())
    kafka.resume()
    collection.start()
    collection.wait_log("an outbox is taken over", "worker=track:0")
    wait_for(lambda: collection.connection("track:0").get("total", {}).get("redelivered"), "it is delivered")
    wait_for(lambda: outbox(collection) == 0, "nothing waits")
    assert collection.stop() == 0
    messages = all_messages(kafka, "stopped")
    assert len({message.key() for message in messages}) == sent
    late = [message for message in messages if header(message, "traptor-redelivered") == "true"]
    assert late
    assert {header(message, "traptor-generation") for message in late} == {"1"}
    assert nothing_is_left(collection)


def test_under_v2_a_trial_gets_the_other_form_and_all_versions_of_a_post_have_one_key(
    make_collection: Make, kafka: KafkaProcess
) -> None:
    collection = make_collection(Key("app"), sandbox=(*SANDBOX, "--v2-rate", "0"))
    deliver(collection, kafka, "posts", create_topic="yes")
    trial = {"expand": "all", "edits": "last", "output_trial": "posts-old"}
    collection.options["traptor"] |= {"api": "v2", **trial}
    on_v2(collection)
    collection.sandbox.stop_timeline()
    checked = check(collection)
    assert "Kafka answers: topic posts (not there" in checked.stdout
    assert "The trial: Kafka answers: topic posts-old (not there" in checked.stdout
    collection.start()
    collection.wait_streaming("v2:app")
    wait_filters(collection, "storm")
    x = collection.sandbox.v2
    wait_for(lambda: all(one["in_effect_at"] for one in x.filters()), "the filter's effect")
    collection.sandbox.burst(40, ["storm"])
    first = [match["id"] for match in x.matches()]
    edits = edit_some(collection, first)
    everything = len(first) + len(edits)
    wait_for(lambda: total(collection)["delivered"] == everything, "every version")
    wait_for(lambda: total(collection)["trial"]["delivered"] == everything, "the trial's")
    assert collection.stop() == 0
    for topic, form in (("posts", "native"), ("posts-old", "v1.1")):
        messages = all_messages(kafka, topic)
        assert {header(message, "traptor-payload") for message in messages} == {form}
        posts = [versions_of(json.loads(message.value() or b"")) for message in messages]
        assert sorted(versions[-1] for versions in posts) == sorted([*first, *edits])
        for message, versions in zip(messages, posts, strict=True):
            assert message.key() == versions[0].encode()
            edit_of = versions[0] if len(versions) > 1 else None
            assert header(message, "traptor-edit-of") == edit_of
        assert {versions[-1] for versions in posts if versions[0] in first} >= set(edits)


def total(collection: Collection) -> Json:
    counts: Json = collection.connection("v2:app")["total"]
    return counts


def edit_some(collection: Collection, ids: list[str], most: int = 3) -> list[str]:
    """Edit some of these posts, of which reposts and replies cannot be edited; return the new ids."""
    versions: list[str] = []
    for post_id in ids:
        if len(versions) < most:
            try:
                versions += collection.sandbox.edit(post_id)
            except SandboxError:
                continue
    assert len(versions) == most
    return versions


def versions_of(body: Json) -> list[str]:
    """The ids of a delivered post's versions until its own, in either form."""
    if "data" in body:
        return list(body["data"]["edit_history_tweet_ids"])
    history = body.get("edit_history")
    return list(history["edit_tweet_ids"]) if history else [body["id_str"]]
