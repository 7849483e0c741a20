"""[kafka]: what may stand in it, what goes on to librdkafka, and what of it no one gets to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from traptor.common.config.settings import load_settings
from traptor.supervisor.workers.settings import worker_settings
from traptor.worker.sinks.kafka.config import client_config

if TYPE_CHECKING:
    from support.configuration import Configuration

SECRET = "s3cr3tS3NT1NEL"
KAFKA = "[traptor]\noutput = kafka\n[kafka]\nbootstrap_servers = b1:9092, b2\n"


def test_names_with_a_dot_go_to_librdkafka_as_they_are(config: Configuration) -> None:
    text = KAFKA + "topic = posts\nSASL.Username = me\ncompression.type = gzip\n"
    kafka = worker_settings(config.load(text)).kafka
    assert kafka is not None
    assert kafka.bootstrap_servers == "b1:9092,b2"
    assert (kafka.topic, kafka.create_topic) == ("posts", False)
    assert kafka.library == (("compression.type", "gzip"), ("sasl.username", "me"))
    assert (kafka.dead_letter_dir.name, kafka.dead_letter_topic) == ("dead-letters", "posts.dlq")


def test_workers_get_nothing_of_kafka_when_the_output_is_another(config: Configuration) -> None:
    text = f"[traptor]\noutput = jsonl:-\n[kafka]\nbootstrap_servers = b1\nsasl.password = {SECRET}\n"
    assert worker_settings(config.load(text)).kafka is None


def test_brokers_must_be_set_where_the_output_is_kafka(config: Configuration) -> None:
    assert "[kafka] bootstrap_servers: must be set where" in config.problem("[traptor]\noutput = kafka\n")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("bootstrap_servers = b1:9092 b2:9092", "must be a list of host:port"),
        ("bootstrap_servers = b1:99999", "must be a list of host:port"),
        ("bootstrap_servers = PLAINTEXT://b1", "must be a list of host:port"),
        ("topic = a b", "must be the name of a topic"),
        ("topic = ..", "must be the name of a topic"),
        ("create_topic = maybe", "yes"),
        ("acks = 1", "cannot be set: a message counts as delivered when all"),
        ("bootstrap.servers = b1", "cannot be set: write bootstrap_servers, with a _"),
        ("transactional.id = t", "cannot be set: messages are not sent in transactions"),
        ("delivery.report.only.error = false", "cannot be set: a message stays in the outbox until"),
        ("default.topic.config = {'acks': 'all'}", "cannot be set: write the topic's options by their own"),
        ("request.required.acks = 0", "cannot be set: a message counts as delivered when all"),
        ("test.mock.num.brokers = 3", "cannot be set: messages would go to a cluster that is not there"),
        ("on_delivery = print", "cannot be set: its value is code"),
        ("ssl.certificate.verify_cb = print", "cannot be set: its value is code"),
        ("group.id = g", "cannot be set: it is for consumers"),
    ],
)
def test_a_wrong_option_is_told_with_what_to_do(config: Configuration, line: str, problem: str) -> None:
    told = config.problem(f"[traptor]\noutput = jsonl:-\n[kafka]\n{line}\n")
    assert told.startswith(f"traptor.ini:4 [kafka] {line.partition(' ')[0]}: ")
    assert problem in told


@pytest.mark.parametrize(
    "name",
    ["sasl.password", "ssl.key.password", "ssl.keystore.password", "ssl.key.pem", "sasl.oauthbearer.config"],
)
def test_a_secret_for_librdkafka_is_known_as_one_and_shown_nowhere(config: Configuration, name: str) -> None:
    settings = config.load(f"{KAFKA}{name} = {SECRET}\n")
    assert SECRET in settings.secrets
    workers = worker_settings(settings)
    assert workers.kafka is not None
    assert workers.kafka.secrets == (SECRET,)
    for thing in (settings, settings.kafka, workers, workers.kafka):
        assert SECRET not in f"{thing!r} {thing}"


def test_a_secret_in_kafkas_section_asks_for_a_file_that_others_cannot_open(config: Configuration) -> None:
    for mode, warned in ((0o600, False), (0o644, True)):
        path = config.write("traptor.ini", f"{KAFKA}sasl.password = {SECRET}\n", mode)
        warnings = load_settings(path, {}).warnings
        assert any("others may open it" in warning for warning in warnings) == warned


def test_a_changed_password_refreshes_the_workers(config: Configuration) -> None:
    old = config.load(f"{KAFKA}sasl.password = {SECRET}\n")
    new = config.load(f"{KAFKA}sasl.password = {SECRET}2\n")
    assert [str(option) for option in new.changes(old).refresh] == ["[kafka] sasl.password"]
    assert worker_settings(new).fingerprint != worker_settings(old).fingerprint
    assert new.keeping_what_needs_a_restart(old).kafka.library == new.kafka.library


@pytest.mark.parametrize(
    ("confirm", "lines", "wrong"),
    [
        ("", "", ""),  # ours is 0: messages never expire
        ("confirm_timeout = 1d", "", ""),
        ("confirm_timeout = 1d", "message.timeout.ms = 0", ""),
        ("confirm_timeout = 1d", "delivery.timeout.ms = 0", ""),
        ("", "message.timeout.ms = 60001", ""),
        ("", "message.timeout.ms = 60000", "message.timeout.ms"),
        ("", "message.timeout.ms = 1", "message.timeout.ms"),
        ("", "delivery.timeout.ms = 60001", ""),
        ("", "delivery.timeout.ms = 60000", "delivery.timeout.ms"),
        ("confirm_timeout = 1s", "message.timeout.ms = 1001", ""),
        ("confirm_timeout = 1s", "message.timeout.ms = 1000", "message.timeout.ms"),
        ("confirm_timeout = 10m", "delivery.timeout.ms = 300000", "delivery.timeout.ms"),
        ("", "message.timeout.ms = soon", ""),  # --check tells
        # The alias is in force:
        ("", "message.timeout.ms = 1\ndelivery.timeout.ms = 0", ""),
        ("", "message.timeout.ms = 0\ndelivery.timeout.ms = 1", "delivery.timeout.ms"),
    ],
)
def test_messages_live_longer_than_it_takes_to_notice_that_none_is_confirmed(
    config: Configuration, confirm: str, lines: str, wrong: str
) -> None:
    text = f"[supervisor]\n{confirm}\n{KAFKA}{lines}\n"
    if not wrong:
        assert config.load(text)
        return
    told = config.problem(text)
    assert told.startswith(
        f"traptor.ini:{text.splitlines().index(lines.splitlines()[-1]) + 1} [kafka] {wrong}: "
    )
    assert f"traptor.ini{':2' if confirm else ''} [supervisor] confirm_timeout is " in told
    assert f"Set {wrong} to more than " in told


def test_the_lifetime_of_messages_is_named_with_what_to_do(config: Configuration) -> None:
    text = f"[supervisor]\nconfirm_timeout = 90s\n{KAFKA}message.timeout.ms = 30000\n"
    assert config.problem(text) == (
        "traptor.ini:7 [kafka] message.timeout.ms: messages would expire after 30000 ms, before it is noticed"
        " that Kafka confirms none: traptor.ini:2 [supervisor] confirm_timeout is 90 s. Set"
        " message.timeout.ms to more than 90000 or to 0 (never), or confirm_timeout to less"
    )


def test_the_lifetime_of_messages_matters_only_where_they_go_to_kafka(config: Configuration) -> None:
    assert config.load("[traptor]\noutput = jsonl:-\n[kafka]\nmessage.timeout.ms = 1\n")


def test_the_alias_is_handed_to_librdkafka_last(config: Configuration) -> None:
    """Which of two names of an option is in force depends on that."""
    kafka = worker_settings(
        config.load(f"{KAFKA}message.timeout.ms = 70000\ndelivery.timeout.ms = 80000\n")
    ).kafka
    assert kafka is not None
    names = list(client_config(kafka, "track:0"))
    assert names.index("delivery.timeout.ms") > names.index("message.timeout.ms")


def test_a_value_in_quotes_for_librdkafka_is_doubted_and_handed_on(config: Configuration) -> None:
    settings = config.load(f'{KAFKA}client.rack = "a"\n')
    assert ("client.rack", '"a"') in settings.kafka.library
    assert [warning for warning in settings.warnings if "client.rack: stands in quotes" in warning]
