"""The life of the forker: it waits for an order, forks or reaps, and answers; it ends with its master."""

from __future__ import annotations

import errno
import gc
import logging
import os
import select
import signal
import socket
import traceback
from collections.abc import Callable
from typing import NoReturn

import setproctitle

from traptor.common.errors import ExitCode
from traptor.supervisor.workers.forking.orders import (
    NO_ROOM,
    Answer,
    Failed,
    Forked,
    ForkOrder,
    Reaped,
    close_all,
    receive_order,
    send,
)
from traptor.supervisor.workers.forking.plain import flush_streams
from traptor.worker.entry import leave_parent, rehearse, run_worker

TITLE = "traptor: forker"
_FIRST_MS = 20  # what takes another's place has an order by then: no worker waits for a rehearsed life


def serve_orders(orders: socket.socket, master_pid: int) -> None:
    """Fork workers as ordered, until the master is gone. Call this in the child, with signals blocked.

    Until the first order it rehearses. Then it makes next to nothing of its own, so its pages stay as they
    are, and workers share them.
    """
    leave_parent(master_pid, {orders.fileno()})
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # a worker stays a zombie until the master asks for it
    logging.getLogger().handlers[:] = []  # their files are closed here
    if not _is_ordered(orders, _FIRST_MS):
        rehearse(lambda: _is_ordered(orders))
    setproctitle.setproctitle(TITLE)
    gc.disable()
    while (received := receive_order(orders)) is not None:
        order, fds = received
        if isinstance(order, ForkOrder):
            _fork(orders, order, fds)
        else:
            send(orders, _reaped(order.pid))


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
        _kill(answer.pid)
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


def watched(pid: int) -> int:
    """Return a pidfd of a child; if there is none, kill it, as its end would go unnoticed. Raises OSError."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        _kill(pid)
        raise


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _reaped(pid: int) -> Answer:
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return Reaped(None)
    return Reaped(os.waitstatus_to_exitcode(status))


def live(work: Callable[[], None]) -> NoReturn:
    """Do the work of a process that was just forked, and end with its exit code; nothing here may return."""
    code = int(ExitCode.FAILURE)
    try:
        work()
        code = int(ExitCode.OK)
    except SystemExit as wanted:
        code = int(wanted.code or 0)
    except BaseException:  # noqa: BLE001  # what was inherited above this call must not run
        traceback.print_exc()
    finally:
        flush_streams()
        os._exit(code)
