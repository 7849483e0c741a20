"""The options that a producer gets: ours, unless the operator has set them."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from support.kafka import kafka_birth

from traptor.common.birth import KafkaSettings
from traptor.worker.sinks.kafka.config import batch_bytes, client_config, fitted, most_message_bytes

BROKER = "127.0.0.1:9092"


def settings(tmp_path: Path, **library: str) -> KafkaSettings:
    """Those of a worker; options of librdkafka with `_` for the dots."""
    kafka = kafka_birth(BROKER, tmp_path, **library).settings.kafka
    assert kafka is not None
    return kafka


def test_nothing_is_compressed_unless_the_operator_asks(tmp_path: Path) -> None:
    """The option has several names; without any of them librdkafka compresses nothing."""
    config = client_config(settings(tmp_path), "track:0")
    assert [name for name in config if "compression" in name] == []


@pytest.mark.parametrize("name", ["compression_type", "compression_codec"])
def test_compression_that_the_operator_asks_for_is_passed_on(tmp_path: Path, name: str) -> None:
    config = client_config(settings(tmp_path, **{name: "gzip"}), "track:0")
    assert config[name.replace("_", ".")] == "gzip"


def test_what_the_operator_sets_takes_the_place_of_ours(tmp_path: Path) -> None:
    ours, theirs = settings(tmp_path), settings(tmp_path, linger_ms="500", client_id="me")
    assert client_config(ours, "track:0")["linger.ms"] == 20
    config = client_config(theirs, "track:0")
    assert (config["linger.ms"], config["client.id"]) == ("500", "me")
    assert config["bootstrap.servers"] == BROKER
    assert config["enable.idempotence"] is True


def test_a_client_is_named_by_its_connection(tmp_path: Path) -> None:
    name = cast(str, client_config(settings(tmp_path), "track:0.2")["client.id"])
    assert name.startswith("traptor-")
    assert name.endswith("-track:0.2")


def test_batches_fit_the_topic_unless_the_operator_has_set_a_size(tmp_path: Path) -> None:
    ours = settings(tmp_path)
    config = client_config(ours, "track:0")
    assert batch_bytes(fitted(config, 5_000, ours)) == 5_000
    assert batch_bytes(fitted(config, 5_000_000, ours)) == batch_bytes(config) == 1_000_000
    theirs = settings(tmp_path, batch_size="9000")
    assert batch_bytes(fitted(client_config(theirs, "track:0"), 5_000, theirs)) == 9_000


def test_the_largest_message_is_ours_or_the_operators(tmp_path: Path) -> None:
    assert most_message_bytes(settings(tmp_path)) == 1_000_000
    assert most_message_bytes(settings(tmp_path, message_max_bytes="2000")) == 2_000
