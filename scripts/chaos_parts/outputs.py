"""Where the tweets of the chaos go: to a topic of a real Kafka, or to files of JSON lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from confluent_kafka import KafkaException
from kafka_parts.broker import KafkaProcess
from kafka_parts.jars import jars
from kafka_parts.reader import TopicReader
from trial.evidence import written_tweets
from trial.folder import TrialFolder
from trial.interrupt import out_of_reach

from chaos_parts.clusters import Clusters
from chaos_parts.deliveries import Topic
from chaos_parts.evidence import kept_tweets, read_topic, started
from chaos_parts.leftovers import messages_left
from chaos_parts.schedule import OF_JSONL, OF_KAFKA, Kind

TOPIC = "traptor"
DEAD_LETTERS = f"{TOPIC}.dlq"

Sections = Mapping[str, Mapping[str, str]]  # of an ini


class To(StrEnum):
    """The outputs, as the command names them."""

    KAFKA = "kafka"
    JSONL = "jsonl"


class Output(Protocol):
    """What the chaos does with an output; nothing is started before `launch`."""

    disk: Kind  # what fills the disk that holds the tweets
    impossible: frozenset[Kind]
    clusters: Clusters

    def prepare(self) -> None:
        """Fetch what is missing."""

    def launch(self) -> None:
        """Start what receives the tweets."""

    def wait_until_up(self) -> None:
        """Wait until it can receive tweets. Raises KafkaFailed."""

    def kill(self) -> None:
        """End it."""

    def options(self) -> Sections:
        """Return what the ini says about it."""

    def ends(self) -> object:
        """Return something that changes whenever anything is delivered; None: it is unknown."""

    def content(self) -> tuple[Topic, list[str]]:
        """Return all that was ever delivered, and what should not be there. Raises TraptorError."""


class KafkaOutput:
    """A broker; clusters and topics that were replaced count with what they held."""

    disk = Kind.FILL_KAFKA
    impossible = OF_JSONL

    def __init__(self, folder: TrialFolder) -> None:
        self._broker = KafkaProcess(folder.kafka / "broker")  # and beside it those that it replaces
        self.clusters = Clusters(self._broker, (TOPIC, DEAD_LETTERS))

    def prepare(self) -> None:
        """Fetch Kafka."""
        jars()

    def launch(self) -> None:
        """Start the broker."""
        with out_of_reach():
            self._broker.launch()

    def wait_until_up(self) -> None:
        """Wait until it answers, and has its topics. Raises KafkaFailed."""
        self._broker.wait_until_up()
        self._broker.ensure_topics([TOPIC, DEAD_LETTERS])

    def kill(self) -> None:
        """End the broker."""
        self._broker.kill()

    def options(self) -> Sections:
        """Return the address and the topic."""
        kafka = {"bootstrap_servers": self._broker.bootstrap_servers, "topic": TOPIC}
        return {"traptor": {"output": "kafka"}, "kafka": kafka}

    def ends(self) -> object:
        """Return the ends of the topic; None while a killed broker still recovers its data."""
        try:
            with TopicReader(self._broker.bootstrap_servers, TOPIC) as reader:
                return reader.ends()
        except KafkaException:
            return None

    def content(self) -> tuple[Topic, list[str]]:
        """Return what is on the topic, in former clusters, and in deleted topics; and the dead letters."""
        topic, left = read_topic(self._broker, TOPIC), messages_left(self._broker, DEAD_LETTERS)
        for former in self.clusters.former:
            with started(former):
                topic += read_topic(former, TOPIC)
                left += messages_left(former, DEAD_LETTERS)
        return sum(map(kept_tweets, self.clusters.deleted), topic), left


class LinesOutput:
    """A file for each connection."""

    disk = Kind.FILL_OUTPUT
    impossible = OF_KAFKA

    def __init__(self, folder: TrialFolder) -> None:
        self._folder = folder.output
        self.clusters = Clusters(KafkaProcess(folder.kafka), ())  # nothing happens to it

    def prepare(self) -> None:
        """Do nothing: nothing is needed."""

    def launch(self) -> None:
        """Do nothing: workers make the files."""

    def wait_until_up(self) -> None:
        """Do nothing: it is a folder."""

    def kill(self) -> None:
        """Do nothing: it is a folder."""

    def options(self) -> Sections:
        """Return the folder, which is beside the ini."""
        return {"traptor": {"output": f"jsonl:{self._folder.name}"}}

    def ends(self) -> object:
        """Return the sizes of the files."""
        return {path.name: path.stat().st_size for path in self._folder.glob("*.jsonl")}

    def content(self) -> tuple[Topic, list[str]]:
        """Return the tweets in all files; there is no place for dead letters. A broken line is an error."""
        written = written_tweets(self._folder)
        counts = {(name, tweet): count for name, ids in written.items() for tweet, count in ids.items()}
        return Topic(Counter(counts), 0), []


OUTPUTS: Mapping[To, type[KafkaOutput] | type[LinesOutput]] = {To.KAFKA: KafkaOutput, To.JSONL: LinesOutput}
