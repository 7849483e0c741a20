"""Log records pass a pipe whole and in order; it never holds the writer up, and half a record ends it."""

from __future__ import annotations

import os
import pickle
import select
import struct
import threading
from collections.abc import Iterator

import pytest
from support.leftovers import Leftovers
from support.waiting import wait_for

from traptor.common.logs.pipe import IncomingRecords, RecordPipe

LARGE = "x" * 200_000  # more than a pipe has room for


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    left = Leftovers()
    yield os.pipe()
    left.wait_gone()


def records(reader: int) -> Iterator[object]:
    """What comes until the other end is closed; then the reading end is, too."""
    incoming = IncomingRecords(reader)
    while not incoming.has_ended:
        yield from incoming.read()
    os.close(reader)


def read_all(reader: int, into: list[object]) -> threading.Thread:
    thread = threading.Thread(target=lambda: into.extend(records(reader)))
    thread.start()
    return thread


def test_records_come_whole_and_in_order_with_one_that_is_larger_than_the_pipe(ends: tuple[int, int]) -> None:
    reader, writer = ends
    pipe = RecordPipe(writer)
    sent = [f"record {number}" for number in range(500)] + [LARGE, "last"]
    for record in sent:
        pipe.put_nowait(record)
    assert pipe.qsize() > 0, "they did not fit"
    came: list[object] = []
    thread = read_all(reader, came)
    wait_for(lambda: pipe.qsize() == 0, "nothing waits any more")
    pipe.put_nowait("after that")
    wait_for(lambda: pipe.qsize() == 0, "nothing waits any more")
    os.close(writer)
    thread.join()
    assert came == [*sent, "after that"]


def test_two_threads_do_not_mix_their_records(ends: tuple[int, int]) -> None:
    reader, writer = ends
    pipe = RecordPipe(writer)
    came: list[object] = []
    thread = read_all(reader, came)
    writers = [
        threading.Thread(target=lambda n=n: [pipe.put_nowait((n, i, LARGE[:3_000])) for i in range(200)])
        for n in range(3)
    ]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    wait_for(lambda: pipe.qsize() == 0, "nothing waits any more")
    os.close(writer)
    thread.join()
    for number in range(3):
        assert (
            [one for one in came if one[0] == number]
            == [  # type: ignore[index]
                (number, i, LARGE[:3_000]) for i in range(200)
            ]
        )


@pytest.mark.parametrize("missing", [1, 5, 11])
def test_half_a_record_is_the_end(missing: int, ends: tuple[int, int]) -> None:
    """As a worker leaves it that is killed while it writes."""
    reader, writer = ends
    RecordPipe(writer).put_nowait("whole")
    payload = pickle.dumps("half")
    os.write(writer, (struct.pack(">I", len(payload)) + payload)[:-missing])
    os.close(writer)
    assert list(records(reader)) == ["whole"]


def test_one_that_cannot_be_read_costs_only_itself(ends: tuple[int, int]) -> None:
    reader, writer = ends
    os.write(writer, struct.pack(">I", 3) + b"bad")
    RecordPipe(writer).put_nowait("next")
    os.close(writer)
    assert list(records(reader)) == ["next"]


def test_without_a_reader_records_are_refused_and_none_waits(ends: tuple[int, int]) -> None:
    reader, writer = ends
    pipe = RecordPipe(writer)
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        pipe.put_nowait("for nobody")
    assert pipe.qsize() == 0
    os.close(writer)


def test_a_reader_that_leaves_while_records_wait_ends_the_wait(ends: tuple[int, int]) -> None:
    reader, writer = ends
    pipe = RecordPipe(writer)
    pipe.put_nowait(LARGE)
    assert pipe.qsize() == 1
    os.close(reader)
    wait_for(lambda: pipe.qsize() == 0, "nothing waits any more")
    poll = select.poll()
    poll.register(writer)
    assert poll.poll(0)[0][1] & select.POLLERR
    os.close(writer)
