"""A worker that cannot understand its master ends at once; it never stays behind, deaf to orders."""

from __future__ import annotations

import multiprocessing
import os
import socket
import threading

from hypothesis import given
from hypothesis import strategies as st
from support.fuzzing import examples, mangled
from support.planted import SECRET
from support.waiting import DEADLINE_S

from traptor.common.counts import Counters
from traptor.common.errors import ExitCode
from traptor.common.messages import (
    HEADER,
    Activity,
    Connect,
    Drain,
    FromMaster,
    Reopen,
    Report,
    frame,
)
from traptor.worker.link import Link

CONNECT = Connect(
    key_id="0" * 8,
    key_name="k",
    consumer_key=SECRET,
    consumer_secret=SECRET,
    access_token=SECRET,
    access_token_secret=SECRET,
)
ORDERS = st.sampled_from([CONNECT, Drain(1.0), Reopen()]).map(frame)
BYTES = st.lists(
    st.one_of(
        ORDERS, ORDERS.flatmap(mangled), st.binary(max_size=9).map(lambda one: HEADER.pack(len(one)) + one)
    ),
    min_size=1,
    max_size=4,
).map(b"".join)


class Deaf:
    """A session to which orders mean nothing; it reports `limited` withheld tweets."""

    def __init__(self, limited: int = 0) -> None:
        self._limited = limited

    def order(self, message: FromMaster) -> None:
        """Nothing is done."""

    def report(self) -> Report:
        return Report(
            at=1.0,
            activity=Activity.WAITING,
            activity_since=1.0,
            last_byte_at=1.0,
            backlog=0,
            counters=Counters(limited=self._limited),
        )

    def drained_instead(self) -> bool:
        return False


def work(sock: socket.socket, limited: int) -> None:
    link = Link(sock, os.eventfd(0))
    link.start(Deaf(limited))
    threading.Event().wait()


def ends_with(said: bytes, limited: int = 0) -> int | None:
    """The exit code of a worker to which a master says this, and nothing else any more."""
    ours, theirs = socket.socketpair()
    process = multiprocessing.get_context("fork").Process(target=work, args=(theirs, limited), daemon=True)
    process.start()
    theirs.close()
    ours.sendall(said)
    ours.shutdown(socket.SHUT_WR)
    process.join(DEADLINE_S)
    ended, code = not process.is_alive(), process.exitcode
    process.kill()
    process.join()
    ours.close()
    assert ended
    return code


@examples(15)
@given(said=BYTES)
def test_whatever_a_master_says_last_its_worker_ends(said: bytes) -> None:
    assert ends_with(said) == ExitCode.FAILURE


def test_a_report_that_cannot_be_sent_ends_the_worker_and_not_the_talk_alone() -> None:
    ours, theirs = socket.socketpair()
    process = multiprocessing.get_context("fork").Process(target=work, args=(theirs, 1 << 70), daemon=True)
    process.start()
    theirs.close()
    process.join(DEADLINE_S)
    code = process.exitcode
    process.kill()
    process.join()
    ours.close()
    assert code == ExitCode.FAILURE
