"""What is urgent is heard at once; what is not, waits until all are heard."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import Callable

from support.reports import report
from support.waiting import DEADLINE_S

from traptor.common.counts import Counters
from traptor.common.messages import FromWorker, Ready, Sample, frame
from traptor.supervisor.workers.channel import Channel
from traptor.supervisor.workers.switchboard import Switchboard

REPORT = report(Counters(received=3, matched=2))


class Lines:
    """Some workers' ends of their lines, and what the master heard from each."""

    def __init__(self, number: int) -> None:
        self.switchboard = Switchboard()
        self.heard: list[tuple[int, FromWorker]] = []
        pairs = [socket.socketpair() for _ in range(number)]
        self.ends = [theirs for _, theirs in pairs]
        self.channels = [self._channel(place, ours) for place, (ours, _) in enumerate(pairs)]

    def say(self, place: int, message: FromWorker) -> None:
        self.ends[place].sendall(frame(message))

    def ring(self) -> None:
        os.eventfd_write(self.switchboard.bell, 1)

    def close(self) -> None:
        for channel in self.channels:
            channel.close()
        for end in self.ends:
            end.close()
        self.switchboard.close()

    def _channel(self, place: int, ours: socket.socket) -> Channel:
        def fail(error: Exception) -> None:
            raise AssertionError(error)

        return Channel(ours, self.switchboard, lambda one: self.heard.append((place, one)), fail)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await asyncio.sleep(0.001)


def test_reports_wait_until_the_master_hears_all_of_them() -> None:
    async def run() -> None:
        lines = Lines(3)
        for place in (0, 2):
            lines.say(place, REPORT)
        await asyncio.sleep(0)
        assert lines.heard == []
        lines.switchboard.hear()
        assert sorted(place for place, _ in lines.heard) == [0, 2]
        assert all(report == REPORT for _, report in lines.heard)
        lines.close()

    asyncio.run(run())


def test_a_bell_has_everybody_heard_by_the_loop_itself() -> None:
    async def run() -> None:
        lines = Lines(2)
        lines.say(0, REPORT)
        lines.say(1, Ready())
        lines.ring()
        await until(lambda: len(lines.heard) == 2)
        assert (1, Ready()) in lines.heard
        lines.close()

    asyncio.run(run())


def test_of_one_that_says_much_all_is_heard_and_others_meanwhile() -> None:
    async def run() -> None:
        lines = Lines(2)
        lines.ends[0].setblocking(False)
        much = frame(REPORT) * 2_000
        sending = asyncio.create_task(asyncio.get_running_loop().sock_sendall(lines.ends[0], much))
        await asyncio.sleep(0)
        lines.say(1, REPORT)
        lines.switchboard.hear()
        assert (1, REPORT) in lines.heard
        assert 1 < len(lines.heard) < 2_000
        while not sending.done():
            await asyncio.sleep(0)
            lines.switchboard.hear()
        await until(lambda: len(lines.heard) == 2_001)
        lines.close()

    asyncio.run(run())


def test_all_of_very_many_are_heard_at_once() -> None:
    """Of more than epoll tells of unless it is asked for all."""

    async def run() -> None:
        switchboard, heard = Switchboard(), set[int]()
        said = os.eventfd(1, os.EFD_CLOEXEC)
        fds = [os.dup(said) for _ in range(1_100)]
        for fd in fds:
            switchboard.plug(fd, lambda fd=fd: bool(heard.add(fd)))
        switchboard.hear()
        assert heard == set(fds)
        for fd in fds:
            switchboard.unplug(fd)
            os.close(fd)
        switchboard.hear()
        os.close(said)
        switchboard.close()

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4_096), hard), hard))
    try:
        asyncio.run(run())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_a_dead_worker_said_last_is_heard_although_it_did_not_ring() -> None:
    async def run() -> None:
        lines = Lines(1)
        last = [Sample([bytes(40_000)], skipped=0, is_last=number == 2) for number in range(3)]
        for message in last:
            lines.say(0, message)
        lines.ends[0].close()
        lines.channels[0].read_rest()
        assert [message for _, message in lines.heard] == last
        lines.close()

    asyncio.run(run())
