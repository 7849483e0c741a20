"""Who asks about topics has nothing left of it, without Kafka too."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest
from support.leftovers import Leftovers
from trial.ports import free_port

from traptor.worker.sinks.kafka import topics as topics_module
from traptor.worker.sinks.kafka.topics import KafkaAway, Topics


@pytest.fixture
def without_gc() -> Iterator[None]:
    """What is let go only when Python looks for garbage is not let go: a worker has little of it."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_gc")
def test_after_an_error_the_client_is_let_go_without_a_search_for_garbage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error keeps the frames that it came through, and these keep it."""
    monkeypatch.setattr(topics_module, "ASK_S", 0.2)
    config = {"bootstrap.servers": f"127.0.0.1:{free_port()}"}
    left = Leftovers()
    for _ in range(3):
        with pytest.raises(KafkaAway), Topics(config, threading.Event()) as topics:
            topics.describe(["posts"])
        left.wait_gone()
