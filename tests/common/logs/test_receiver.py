"""One thread receives the log records of all workers, and is there as long as there are any."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.leftovers import Leftovers
from support.waiting import wait_for

from traptor.common.logs.pipe import IncomingRecords, RecordPipe
from traptor.common.logs.receiver import RecordReceiver


@pytest.fixture
def nothing_left() -> Iterator[None]:
    left = Leftovers()
    yield
    left.wait_gone()


class Worker:
    """The end of a pipe that a worker has."""

    def __init__(self, receiver: RecordReceiver) -> None:
        reader, self._writer = os.pipe()
        self._receiver = receiver
        self._incoming: IncomingRecords = receiver.receive(reader)
        self._records = RecordPipe(self._writer)

    def log(self, record: object) -> None:
        self._records.put_nowait(record)

    def end(self) -> None:
        wait_for(lambda: self._records.qsize() == 0, "nothing waits any more")
        os.close(self._writer)

    @property
    def is_open(self) -> bool:
        return self._receiver.is_open(self._incoming)


@pytest.mark.usefixtures("nothing_left")
def test_one_thread_reads_all_until_the_last_has_ended() -> None:
    came: list[object] = []
    left = Leftovers()
    receiver = RecordReceiver(came.append)
    workers = [Worker(receiver) for _ in range(20)]
    threads = {one for one in left.now if one.startswith("thread")}
    assert len(threads) == 1
    for number, worker in enumerate(workers):
        worker.log((number, "first"))
        worker.log((number, "x" * 200_000))  # more than a pipe holds
    for worker in workers[1:]:
        worker.end()
    wait_for(lambda: not any(worker.is_open for worker in workers[1:]), "they have ended")
    assert workers[0].is_open
    workers[0].log((0, "last"))
    workers[0].end()
    left.wait_gone()
    for number in range(20):
        of_one = [record[1] for record in came if record[0] == number]  # type: ignore[index]
        assert of_one == ["first", "x" * 200_000, "last"][: 2 + (number == 0)]


@given(st.lists(st.integers(0, 3), max_size=30))
@settings(max_examples=50)
def test_whoever_comes_while_the_last_one_ends_is_received(ends: list[int]) -> None:
    came: list[object] = []
    receiver, workers = RecordReceiver(came.append), list[Worker]()
    for number, one in enumerate(ends):
        workers.append(Worker(receiver))
        workers[-1].log(number)
        if one < len(workers):
            workers.pop(one).end()
    for worker in workers:
        worker.end()
    wait_for(lambda: len(came) == len(ends), "all records")
    wait_for(lambda: not any(worker.is_open for worker in workers), "all have ended")
    assert sorted(came) == list(range(len(ends)))  # type: ignore[type-var]


@pytest.mark.usefixtures("nothing_left")
def test_where_no_thread_can_be_made_it_says_so_and_the_next_is_received(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    came: list[object] = []
    receiver = RecordReceiver(came.append)
    reader, writer = os.pipe()

    def no_room(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_room)
        with pytest.raises(OSError, match="can't start new thread") as caught:
            receiver.receive(reader)
    assert caught.value.errno == errno.EAGAIN
    incoming = receiver.receive(reader)
    RecordPipe(writer).put_nowait("now")
    os.close(writer)
    wait_for(lambda: not receiver.is_open(incoming), "it has ended")
    assert came == ["now"]


@pytest.mark.usefixtures("nothing_left")
def test_a_descriptor_that_cannot_be_watched_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file, pytest.raises(PermissionError):
        RecordReceiver(lambda _record: None).receive(file.fileno())
