"""When the delivery's own thread acts: soon where something moves, seldom where nothing does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support.kafka import kafka_birth
from support.outgoing import tweet
from support.waiting import DEADLINE_S, wait_for

from traptor.common.birth import OutboxSettings
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.delivery.sink import Results, Ticket
from traptor.worker.outbox.message import Outgoing


class Output:
    """Delivers at once, has no room, or returns messages, as a test sets it."""

    def __init__(self) -> None:
        self.delivers_at_once = False
        self.has_room = True
        self.returns: Callable[[str], bool] = lambda _: False
        self.sent: list[str] = []
        self.serves = 0
        self.syncs = 0

    def open(self, results: Results) -> None:
        self._results = results

    def takes(self, _message: Outgoing) -> bool:
        return True

    def may_deliver_at_once(self, _messages: Sequence[Outgoing]) -> bool:
        return self.delivers_at_once

    def deliver_at_once(self, _messages: Sequence[Outgoing]) -> bool:
        return self.delivers_at_once

    def send(self, message: Outgoing, ticket: Ticket) -> bool:
        if not self.has_room:
            return False
        name = message.tweet_id or ""
        returns = self.returns(name)
        self.sent.append(name)
        (self._results.came_back if returns else self._results.delivered)(ticket)
        return True

    def last_written(self) -> Sequence[bytes]:
        return ()

    def serve(self) -> None:
        self.serves += 1

    def sync(self) -> None:
        self.syncs += 1

    def stop_waiting(self) -> None:
        pass

    def close(self) -> None:
        pass


Make = Callable[..., Delivery]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Delivery] = []

    def make_one(output: Output, *, synced: bool = False) -> Delivery:
        birth = kafka_birth("127.0.0.1:1", tmp_path)
        outbox = OutboxSettings(tmp_path, max_bytes=1 << 24, synced=synced, confirm_timeout_s=60.0)
        delivery = Delivery(replace(birth, settings=replace(birth.settings, outbox=outbox)), output)
        delivery.open()
        made.append(delivery)
        return delivery

    yield make_one
    for delivery in made:
        delivery.drain(time.monotonic())


def test_what_came_back_is_sent_again_while_others_keep_coming_back(make: Make) -> None:
    """Each return once pushed the time of the next try ahead of it."""
    output = Output()
    output.returns = lambda name: name != "1" or name not in output.sent
    delivery = make(output)
    delivery.send(tweet(1))
    ended = threading.Event()

    def send() -> None:
        number = 2
        while not ended.wait(0.05):
            delivery.send(tweet(number))
            number += 1

    thread = threading.Thread(target=send)
    thread.start()
    try:
        wait_for(lambda: output.sent.count("1") == 2, "the first one is sent again")
    finally:
        ended.set()
        thread.join()
    output.returns = lambda _: False
    wait_for(lambda: delivery.backlog == 0, "all are delivered")


def test_what_comes_back_at_once_is_not_tried_without_a_pause(make: Make) -> None:
    output = Output()
    output.returns = lambda _: True
    delivery = make(output)
    began = time.monotonic()
    for number in range(5):
        delivery.send(tweet(number))
    wait_for(lambda: output.sent.count("0") == 3, "two more tries")
    assert time.monotonic() - began >= 2 * 0.9


def test_while_the_output_has_no_room_it_is_looked_at_seldom(make: Make) -> None:
    """For an hour without Kafka this is the price of every worker."""
    output = Output()
    output.has_room = False
    delivery = make(output)
    for number in range(1000):
        delivery.send(tweet(number))
    wait_for(lambda: delivery.outbox_bytes, "they are in the outbox")
    began, serves = time.monotonic(), output.serves
    wait_for(lambda: time.monotonic() > began + 1.5, "some time")
    served, took_s = output.serves - serves, time.monotonic() - began
    assert served <= took_s / 0.05 + 5
    output.has_room = True
    wait_for(lambda: delivery.backlog == 0, "all are delivered")


def test_with_durability_of_the_host_lines_that_need_no_outbox_are_synced_too(make: Make) -> None:
    """At least every 100 ms, says the option."""
    output = Output()
    output.delivers_at_once = True
    delivery = make(output, synced=True)
    began = time.monotonic()
    while output.syncs < 20:
        delivery.send(tweet(1))
        assert time.monotonic() < began + DEADLINE_S
        time.sleep(0.01)
