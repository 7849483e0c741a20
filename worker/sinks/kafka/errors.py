"""Classify Kafka's errors by what they mean for a message, with advice for the operator.

Codes: Kafka's protocol, "Error Codes"; those of librdkafka itself begin with an underscore.
"""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError, KafkaException


def missing_advice(option: str) -> str:
    """Return what the operator can do about a missing topic that an option names."""
    return f"create the topic, or name another one in {option}"


_TOPIC: Final = missing_advice("[kafka] topic")
_RIGHTS: Final = "give this user the right to write to the topic"
_SIZE: Final = "raise max.message.bytes of the topic, or lower batch.size in [kafka]"

# These errors last until an operator acts; the text says how.
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
    KafkaError.INVALID_REPLICATION_FACTOR: "default.replication.factor is more than the number of brokers",
    KafkaError._INVALID_ARG: "look at the options with a dot in [kafka]",
}
_MISSING: Final = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)
_TOO_LARGE: Final = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE)


def lasts(error: KafkaError) -> bool:
    """Tell whether the error lasts until an operator acts."""
    return error.code() in _ADVICE


def is_missing_topic(error: KafkaError) -> bool:
    """Tell whether the topic is missing: it may be created again, and no message is to blame."""
    return error.code() in _MISSING


def is_too_large(error: KafkaError) -> bool:
    """Tell whether a message, or a batch, exceeds a size limit."""
    return error.code() in _TOO_LARGE


def advice(error: KafkaError) -> str:
    """Return what the operator can do."""
    return _ADVICE.get(error.code(), "look at the brokers")


def size_advice(size_bytes: int, most_bytes: int | None, *, is_local: bool) -> str:
    """Return the advice for a message of this size.

    `most_bytes` is the topic's limit, if known; `is_local`: librdkafka rejected the message by its own limit,
    without asking a broker.
    """
    if is_local:
        topic_takes_it = most_bytes is not None and most_bytes > size_bytes
        topic = "" if topic_takes_it else ", and max.message.bytes of the topic"
        return f"raise message.max.bytes in [kafka] above {size_bytes}{topic}"
    if most_bytes is not None and most_bytes > size_bytes:
        return f"lower batch.size in [kafka]: the topic takes batches up to {most_bytes}"
    return f"raise max.message.bytes of the topic above {size_bytes}"


def text_of(error: KafkaError) -> str:
    """Return the error for people: Kafka's name for it, and its cause."""
    return f"{error.name()}: {' '.join(error.str().split())}"


def error_of(exception: KafkaException) -> KafkaError:
    """Return the error that an exception carries."""
    error = exception.args[0]
    assert isinstance(error, KafkaError)
    return error
