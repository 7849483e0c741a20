"""Check that a cluster can be reached and has the topics, using a short-lived client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, Self, TypeVar

from confluent_kafka import KafkaError, KafkaException, Producer, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic  # type: ignore[attr-defined]  # it is made in C

from traptor.common.birth import KafkaSettings
from traptor.common.errors import SinkError
from traptor.worker.sinks.kafka.config import Config, client_config
from traptor.worker.sinks.kafka.errors import advice, error_of, lasts, text_of
from traptor.worker.sinks.kafka.record import topics_of
from traptor.worker.sinks.kafka.revival import Cluster, TopicState

Client = TypeVar("Client")
Answer = TypeVar("Answer")

ASK_S = 5.0
_LOOK_S = 0.05
_NOT_THERE = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)
# librdkafka's complaints that say less than those before them.
_EMPTY_WORDS = (KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT)


class KafkaAway(SinkError):
    """Kafka does not answer, or cannot serve requests now; later it may."""


class WaitEnded(SinkError):
    """The caller ended the wait for an answer."""


class Topics:
    """Asks one cluster about topics. Use it in a `with` block, which leaves none of its threads behind.

    The client is released there, not together with this object: an answer that is an error keeps the frames
    it passed through alive until the garbage collector runs, which happens rarely in a worker.
    """

    def __init__(self, config: Config, stopped: threading.Event) -> None:
        """Create the client; `stopped` ends every wait for an answer with WaitEnded.

        Raises SinkError when librdkafka rejects the configuration.
        """
        self._stopped = stopped
        self._complaints: list[str] = []  # the last one
        self._brokers = str(config["bootstrap.servers"])
        # The callback holds no reference to this object, nor through it to the client.
        on_error = partial(_keep_complaint, self._complaints)
        self._admin = made_with(AdminClient, {**config, "error_cb": on_error})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        del self._admin

    def describe(self, names: Collection[str]) -> dict[str, TopicState]:
        """Return the state of each topic; one without partitions does not exist.

        Raises KafkaAway, SinkError, WaitEnded.
        """
        return self._ask(
            lambda: self._admin.describe_topics(TopicCollection(list(names)), request_timeout=ASK_S),
            _state_of,
            dict.fromkeys(_NOT_THERE, TopicState("", 0)),
        )

    def partitions(self, names: Collection[str]) -> dict[str, int]:
        """Return the number of partitions of each topic; 0: it does not exist. Raises like `describe`."""
        return {name: state.partitions for name, state in self.describe(names).items()}

    def cluster_id(self) -> str | None:
        """Return the cluster's id; None when that is not permitted. Raises KafkaAway, WaitEnded."""
        found: dict[str, str | None]
        try:
            found = self._ask(
                lambda: {"": self._admin.describe_cluster(request_timeout=ASK_S)},
                lambda cluster: cluster.cluster_id,
                {},
            )
        except (KafkaAway, WaitEnded):
            raise
        except SinkError:
            return None
        return found[""]

    def largest_message_bytes(self, names: Collection[str]) -> int | None:
        """Return the largest batch that all the topics accept; None when asking is not permitted.

        Raises KafkaAway, WaitEnded.
        """
        resources = {name: ConfigResource(ConfigResource.Type.TOPIC, name) for name in names}
        futures = self._admin.describe_configs(list(resources.values()), request_timeout=ASK_S)
        try:
            sizes = self._ask(
                lambda: {name: futures[resource] for name, resource in resources.items()},
                lambda config: int(config["max.message.bytes"].value),
                {},
            )
        except (KafkaAway, WaitEnded):
            raise
        except SinkError:
            return None
        return min(sizes.values())

    def create(self, names: Collection[str]) -> None:
        """Create topics with the brokers' defaults. Raises KafkaAway, SinkError, WaitEnded."""
        new = [NewTopic(name, -1, -1) for name in names]  # -1: the broker's default
        self._ask(
            lambda: self._admin.create_topics(new, request_timeout=ASK_S),
            lambda _: 0,
            {KafkaError.TOPIC_ALREADY_EXISTS: 0},
        )

    def _ask(
        self,
        start: Callable[[], Mapping[str, Future[Any]]],
        read: Callable[[Any], Answer],
        answers: Mapping[int, Answer],
    ) -> dict[str, Answer]:
        """Return the answer for each topic; `answers` maps errors that count as answers."""
        found = {}
        for name, future in start().items():
            self._wait(future)
            try:
                found[name] = read(future.result())
            except KafkaException as exception:
                error = error_of(exception)
                if error.code() not in answers:
                    raise self._failure(name, error) from None
                found[name] = answers[error.code()]
        return found

    def _wait(self, future: Future[Any]) -> None:
        deadline = time.monotonic() + ASK_S + 1.0
        while not future.done():
            self._admin.poll(0)
            if self._stopped.wait(_LOOK_S):
                raise WaitEnded("the wait for Kafka was ended")
            if time.monotonic() > deadline:
                raise KafkaAway(f"{self._brokers}: no answer in {ASK_S:g} s")
        self._admin.poll(0)

    def _failure(self, topic: str, error: KafkaError) -> SinkError:
        if lasts(error):
            return SinkError(f"Kafka topic {topic}: {text_of(error)}; {advice(error)}")
        return KafkaAway(f"{self._brokers}: {' '.join(self._complaints) or text_of(error)}")


def _state_of(topic: Any) -> TopicState:
    leaderless = tuple(partition.id for partition in topic.partitions if partition.leader is None)
    return TopicState(str(topic.topic_id), len(topic.partitions), leaderless)


def _keep_complaint(complaints: list[str], error: KafkaError) -> None:
    if error.code() not in _EMPTY_WORDS:
        complaints[:] = [text_of(error)]


def made_with(make: Callable[..., Client], config: Config) -> Client:
    """Return a client of librdkafka. Raises SinkError when it rejects the configuration."""
    try:
        return make(config)
    except Exception as error:  # noqa: BLE001  # the binding raises AttributeError and others too
        text = error_of(error).str() if isinstance(error, KafkaException) else str(error)
        raise SinkError(f"[kafka]: {' '.join(text.split())}; look at the options with a dot") from None


def need_topics(topics: Topics, names: Collection[str], settings: KafkaSettings) -> tuple[Cluster, list[str]]:
    """Return the cluster with the topics, and the topics that were created. Raises like `Topics.describe`."""
    found = topics.describe(names)
    if missing := missing_topics({name: state.partitions for name, state in found.items()}, settings):
        topics.create(missing)
        found = topics.describe(names)
    return Cluster(topics.cluster_id(), found), missing


def missing_topics(found: Mapping[str, int], settings: KafkaSettings) -> list[str]:
    """Return the missing topics. Raises SinkError when some are missing and may not be created."""
    missing = [name for name, count in found.items() if not count]
    if missing and not settings.create_topic:
        raise SinkError(
            f"Kafka has no topic {' and no topic '.join(missing)}: create it, name another one in "
            f"{settings.topic_option}, or set [kafka] create_topic = yes"
        )
    return missing


def look_at_kafka(settings: KafkaSettings, other_messages: str) -> str:
    """Return what was found, as a sentence. Raises SinkError; changes nothing."""
    config = client_config(settings, "check")
    made_with(Producer, config)  # it rejects more than the client that asks for topics
    with Topics(config, threading.Event()) as topics:
        found = topics.partitions(topics_of(settings, other_messages))
    missing_topics(found, settings)
    said = [f"topic {name} ({_partitions(count)})" for name, count in found.items()]
    return f"Kafka answers: {', '.join(said)}."


def _partitions(count: int) -> str:
    if not count:
        return "not there, it will be created"
    return f"{count} partition{'s' * (count > 1)}"
