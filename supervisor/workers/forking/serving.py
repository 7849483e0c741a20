"""The life of the forker: it waits for an order, forks or reaps, and answers; it ends with its master."""

from __future__ import annotations

import errno
import gc
import logging
import os
import select
import signal
import socket
from contextlib import suppress
from pathlib import Path

import setproctitle

from traptor.common.birthframe import read_birth_frame
from traptor.common.logs.master import set_level
from traptor.supervisor.workers.forking.orders import (
    NO_ROOM,
    Answer,
    Failed,
    Forked,
    ForkOrder,
    PrepareOrder,
    Reaped,
    ReapOrder,
    close_all,
    receive_order,
    send,
)
from traptor.supervisor.workers.forking.plain import kill, live, watched
from traptor.worker.entry import leave_parent, rehearse, run_worker, warm_up

TITLE = "traptor: forker"
_FIRST_MS = 20  # what takes another's place has an order by then: no worker waits for a rehearsed life


def serve_orders(orders: socket.socket, master_pid: int) -> None:
    """Fork workers as ordered, until the master is gone. Call this in the child, with signals blocked.

    Once it is prepared it makes next to nothing of its own, so its pages stay as they are, and workers share
    them.
    """
    leave_parent(master_pid, {orders.fileno()})
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # a worker stays a zombie until the master asks for it
    logging.getLogger().handlers[:] = []  # of a master that makes another forker; their files are closed here
    setproctitle.setproctitle(TITLE)
    gc.disable()
    while (received := receive_order(orders)) is not None:
        order, fds = received
        match order:
            case PrepareOrder():
                _prepare(orders, order)
            case ForkOrder():
                _fork(orders, order, fds)
            case ReapOrder():
                send(orders, _reaped(order.pid))


def _prepare(orders: socket.socket, order: PrepareOrder) -> None:
    """Use what workers use, and rehearse their lives until the next order comes."""
    with suppress(Exception):  # what fails there each worker meets itself, and says so
        settings = read_birth_frame(order.birth).birth().settings
        set_level(settings.log_level)
        warm_up(settings)
    gc.collect()
    gc.freeze()
    if not _is_ordered(orders, _FIRST_MS):
        rehearse(lambda: _is_ordered(orders), Path(order.folder))
        setproctitle.setproctitle(TITLE)


def _is_ordered(orders: socket.socket, within_ms: int = 0) -> bool:
    poll = select.poll()  # select() cannot take descriptors from 1,024 on
    poll.register(orders, select.POLLIN)
    return bool(poll.poll(within_ms))


def _fork(orders: socket.socket, order: ForkOrder, fds: list[int]) -> None:
    answer, pidfds = _forked(order, fds)
    close_all(fds)
    try:
        send(orders, answer, pidfds)
    except OSError as error:
        if error.errno not in NO_ROOM or not isinstance(answer, Forked):
            raise
        kill(answer.pid)
        send(orders, Failed(error.errno))
    close_all(pidfds)


def _forked(order: ForkOrder, fds: list[int]) -> tuple[Answer, list[int]]:
    if len(fds) < order.fds:
        return Failed(errno.EMFILE), []
    parent_pid = os.getpid()
    try:
        pid = os.fork()
    except OSError as error:
        return Failed(error.errno or errno.EAGAIN), []
    if not pid:
        live(lambda: run_worker(order.connection, fds, parent_pid))
    try:
        return Forked(pid), [watched(pid)]
    except OSError as error:
        return Failed(error.errno or errno.EMFILE), []


def _reaped(pid: int) -> Answer:
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return Reaped(None)
    return Reaped(os.waitstatus_to_exitcode(status))
