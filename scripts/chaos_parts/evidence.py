"""Read the judge's evidence: the sandbox's record of streams and tweets, and the topic."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Message
from kafka_parts.broker import KafkaProcess
from kafka_parts.reader import TopicReader, header
from kafka_parts.remains import kept_messages
from trial.judge import OpenedStream

from chaos_parts.deliveries import SentTweet, Topic
from traptor.common.errors import TraptorError

_READ_S = 600.0
_FEWEST_SHARED = 0.5  # of its values, that a stream shares with another one of its connection


def sent_tweets(records: Iterable[Mapping[str, Any]]) -> Iterator[SentTweet]:
    """Yield the tweets that were written to any stream, by the sandbox's records of those made."""
    for record in records:
        if record["connections"]:
            yield SentTweet(
                record["id"], tuple(zip(record["connections"], record["written_mono"], strict=True))
            )


@contextmanager
def started(former: KafkaProcess) -> Iterator[None]:
    """Run a replaced cluster, with the messages confirmed in its time."""
    former.start()
    try:
        yield
    finally:
        former.kill()


def read_topic(broker: KafkaProcess, topic: str) -> Topic:
    """Return all tweets of the topic. Raises TraptorError when it cannot be read to its end."""
    counts: Counter[tuple[str, str]] = Counter()
    redelivered = 0
    deadline = time.monotonic() + _READ_S
    with TopicReader(broker.bootstrap_servers, topic) as reader:
        while not reader.is_at_end():
            for message in reader.read(0.2):
                if delivery := _delivery(message):
                    counts[delivery] += 1
                    redelivered += header(message, "traptor-redelivered") is not None
            if time.monotonic() > deadline:
                raise TraptorError(f"the topic {topic} cannot be read to its end in {_READ_S:g} s")
    return Topic(counts, redelivered)


def kept_tweets(folder: Path) -> Topic:
    """Return all tweets of a deleted topic, which a broker kept there."""
    counts: Counter[tuple[str, str]] = Counter()
    redelivered = 0
    for message in kept_messages(folder):
        if message.key is not None:
            counts[(message.headers["traptor-connection"] or b"").decode(), message.key.decode()] += 1
            redelivered += message.headers.get("traptor-redelivered") is not None
    return Topic(counts, redelivered)


def _delivery(message: Message) -> tuple[str, str] | None:
    """Return the connection and the tweet; None for other messages, which have no key."""
    key = message.key()
    return (header(message, "traptor-connection") or "", key.decode()) if isinstance(key, bytes) else None


def with_names(streams: Sequence[OpenedStream]) -> list[OpenedStream]:
    """Return the streams, with those that no supervisor lived to log named by the rules they asked for."""
    known = [stream for stream in streams if stream.connection is not None]
    return [stream if stream.connection is not None else _named(stream, known) for stream in streams]


def _named(stream: OpenedStream, known: Sequence[OpenedStream]) -> OpenedStream:
    alike = max(known, key=lambda other: len(other.values & stream.values), default=None)
    if alike is None or len(alike.values & stream.values) < _FEWEST_SHARED * len(stream.values):
        return stream
    return OpenedStream(alike.connection, stream.values, stream.opened_at, stream.closed_at, stream.id)
