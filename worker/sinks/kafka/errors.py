"""What Kafka's errors mean for a message, and what the operator can do about them.

Codes: Kafka's protocol, "Error Codes"; those of librdkafka itself begin with an underscore.
"""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError, KafkaException

_TOPIC: Final = "create the topic, or name another one in [kafka] topic"
_RIGHTS: Final = "give this user the right to write to the topic"
_SIZE: Final = "raise max.message.bytes of the topic, or lower batch.size in [kafka]"

# For these the same message would fail again. Everything else may pass: then the message waits.
_ADVICE: dict[int, str] = {
    KafkaError.MSG_SIZE_TOO_LARGE: _SIZE,
    KafkaError.RECORD_LIST_TOO_LARGE: _SIZE,
    KafkaError.UNKNOWN_TOPIC_OR_PART: _TOPIC,
    KafkaError._UNKNOWN_TOPIC: _TOPIC,
    KafkaError.TOPIC_EXCEPTION: _TOPIC,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: _RIGHTS,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: _RIGHTS,
    KafkaError.INVALID_RECORD: "look into the broker's log: it found the message invalid",
    KafkaError.INVALID_MSG: "look into the broker's log: it found the message invalid",
    KafkaError.INVALID_TIMESTAMP: "compare the clocks, and message.timestamp.* of the topic",
    KafkaError.POLICY_VIOLATION: "ask who set the cluster's policy",
    KafkaError.INVALID_REPLICATION_FACTOR: "the brokers' default.replication.factor is more than there are",
    KafkaError._INVALID_ARG: "look at the options with a dot in [kafka]",
}
UNCONFIRMED: Final = "not confirmed in time; it may have arrived"


def is_final(error: KafkaError) -> bool:
    """Whether the same message would fail again."""
    return error.code() in _ADVICE


def advice(error: KafkaError) -> str:
    """What the operator can do."""
    return _ADVICE.get(error.code(), "look at the brokers")


def text_of(error: KafkaError) -> str:
    """The error for people: Kafka's name for it, and what is behind it."""
    return f"{error.name()}: {' '.join(error.str().split())}"


def error_of(exception: KafkaException) -> KafkaError:
    """The error that an exception carries."""
    error = exception.args[0]
    assert isinstance(error, KafkaError)
    return error
