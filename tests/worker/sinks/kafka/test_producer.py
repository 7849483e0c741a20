"""A producer of librdkafka that breaks."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from traptor.worker.sinks.kafka.producer import KafkaProducer


class Polled:
    """Stands for librdkafka's producer: a poll raises its error."""

    def __init__(self, error: KafkaError) -> None:
        self._error = error

    def poll(self, _timeout_s: float) -> int:
        raise KafkaException(self._error)


def served(monkeypatch: pytest.MonkeyPatch, error: KafkaError) -> KafkaProducer[str]:
    monkeypatch.setattr("traptor.worker.sinks.kafka.producer.made_with", lambda *_: Polled(error))
    producer: KafkaProducer[str] = KafkaProducer(
        {}, on_delivered=lambda _: None, on_failed=lambda *_: None, on_lost=lambda: None
    )
    producer.serve()
    return producer


def test_a_fatal_error_that_a_poll_raises_breaks_the_producer_and_not_the_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, "sequence desynchronization", fatal=True)
    assert served(monkeypatch, error).broken is error


def test_any_other_error_that_a_poll_raises_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KafkaException):
        served(monkeypatch, KafkaError(KafkaError._FAIL, "not fatal"))
