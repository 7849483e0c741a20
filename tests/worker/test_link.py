"""The worker rings for its master when it says what cannot wait."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator

import pytest
from support.reports import report
from support.waiting import DEADLINE_S

from traptor.common.counts import Counters
from traptor.common.messages import (
    HEADER,
    Activity,
    Drained,
    FromMaster,
    FromWorker,
    MayConnect,
    Ready,
    Report,
    Sample,
    from_worker,
)
from traptor.worker import link as link_module
from traptor.worker.hearing.frames import read_payload
from traptor.worker.link import Link

QUIET_S = 0.2  # in which a bell would ring


class Idle:
    """A session of which the link is told nothing but that it waits."""

    def order(self, message: FromMaster) -> None:
        raise AssertionError(message)

    def report(self) -> Report:
        return report(Counters(), Activity.WAITING)

    def drained_instead(self) -> bool:
        return False


class Master:
    """What a master has of a worker: its end of the socketpair, and the bell."""

    def __init__(self) -> None:
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(DEADLINE_S)
        self.bell = os.eventfd(0, os.EFD_NONBLOCK)
        self.link = Link(theirs, self.bell)
        self._theirs = theirs

    def next(self) -> FromWorker:
        return from_worker(read_payload(self.sock))

    def close(self) -> None:
        self.link.finish(DEADLINE_S)
        self.sock.close()
        self._theirs.close()
        os.close(self.bell)


@pytest.fixture
def seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """No report is due by the clock while the test runs, however slow the machine."""
    monkeypatch.setattr(link_module, "_FIRST_REPORT_S", DEADLINE_S)
    monkeypatch.setattr(link_module, "REPORT_INTERVAL_S", DEADLINE_S)


@pytest.fixture
def master() -> Iterator[Master]:
    master = Master()
    yield master
    master.close()


def test_a_report_does_not_ring(master: Master) -> None:
    master.link.start(Idle())
    assert isinstance(master.next(), Report)
    assert isinstance(master.next(), Report)
    with pytest.raises(BlockingIOError):
        os.eventfd_read(master.bell)


class Billed(Idle):
    """A session that has read posts which X bills, and reads more when told so."""

    posts = 3

    def report(self) -> Report:
        return report(Counters(reads={"posts": self.posts}), Activity.WAITING)


def test_a_report_rings_only_when_it_tells_of_more_posts_that_x_bills(master: Master) -> None:
    session = Billed()
    master.link.start(session)
    assert isinstance(master.next(), Report)
    assert select.select([master.bell], [], [], DEADLINE_S)[0]
    os.eventfd_read(master.bell)
    assert isinstance(master.next(), Report)
    assert isinstance(master.next(), Report)
    with pytest.raises(BlockingIOError):
        os.eventfd_read(master.bell)
    session.posts = 4
    assert select.select([master.bell], [], [], DEADLINE_S)[0]


def test_what_x_bills_is_reported_sooner_for_a_cap_may_end_it(
    master: Master, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "REPORT_INTERVAL_S", 10 * DEADLINE_S)
    assert link_module.PAID_INTERVAL_S <= 0.5, "so that no more than a second's posts come after the cap's"
    master.link.start(Billed())
    assert all(isinstance(master.next(), Report) for _ in range(3))


def test_a_question_rings_once_it_was_sent(master: Master) -> None:
    master.link.start(Idle())
    assert isinstance(master.next(), Report)
    master.link.post(MayConnect())
    assert select.select([master.bell], [], [], DEADLINE_S)[0]
    assert os.eventfd_read(master.bell) == 1
    head = master.sock.recv(HEADER.size, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    assert len(head) == HEADER.size, "it is there already"
    assert master.next() == MayConnect()


@pytest.mark.usefixtures("seldom")
def test_a_worker_that_is_ready_says_so_with_its_next_message(master: Master) -> None:
    master.link.start(Idle())
    master.link.post(Ready())
    assert not select.select([master.bell], [], [], QUIET_S)[0]
    master.link.post(MayConnect())
    assert select.select([master.bell], [], [], DEADLINE_S)[0]
    assert os.eventfd_read(master.bell) == 1
    assert [master.next(), master.next()] == [Ready(), MayConnect()]
    assert isinstance(master.next(), Report), "what it does now"


def test_what_is_too_large_to_go_together_keeps_nobody_from_hearing_the_rest(master: Master) -> None:
    """The socket takes no more than some of it, and the master reads when it is rung for."""
    for message in (MayConnect(), *[Sample([b"x" * 200_000], 0, False)] * 4):
        master.link.post(message)
    master.link.start(Idle())
    assert select.select([master.bell], [], [], DEADLINE_S)[0]
    assert master.next() == MayConnect()
    for _ in range(4):
        assert isinstance(master.next(), Sample)


@pytest.mark.usefixtures("seldom")
def test_what_is_posted_last_is_sent_before_the_end(master: Master) -> None:
    master.link.start(Idle())
    master.link.post(Drained(0))
    master.link.finish(DEADLINE_S)
    assert master.next() == Drained(0)
