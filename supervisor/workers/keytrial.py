"""Try a key in a child process: the master itself never opens a stream."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from multiprocessing.connection import Connection

import msgspec

from traptor.common.birth import WorkerSettings
from traptor.common.errors import TraptorError
from traptor.common.messages import Connect, Disconnected
from traptor.common.signals import HANDLED_SIGNALS
from traptor.supervisor.workers.forking.plain import start_fork

_MARGIN_S = 5.0  # beyond the time limit of a connect


async def try_out(order: Connect, settings: WorkerSettings) -> Disconnected:
    """Connect once with the credentials of `order` and return how it ended; `streamed`: with a 200.

    Raises TraptorError when this host cannot fork, or the child fails.
    """
    from traptor.worker.entry import try_key  # it takes a while, and few masters try a key

    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(
        target=try_key, args=(order, settings, theirs, os.getpid()), daemon=True
    )
    try:
        _start(child)
    except OSError as error:
        raise TraptorError(f"the key cannot be tried: {error.strerror}") from error
    finally:
        theirs.close()
    try:
        return await _answer(ours, settings.connect_timeout_s + _MARGIN_S)
    finally:
        ours.close()
        child.kill()
        child.join()
        child.close()


def _start(child: multiprocessing.process.BaseProcess) -> None:
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
    try:
        start_fork(child)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


async def _answer(pipe: Connection, within_s: float) -> Disconnected:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(pipe.fileno(), ready.set)
    try:
        async with asyncio.timeout(within_s):
            await ready.wait()
        return msgspec.msgpack.decode(pipe.recv_bytes(), type=Disconnected)
    except TimeoutError:
        raise TraptorError(f"the test of the key had no result within {within_s:g} s") from None
    except (EOFError, OSError, msgspec.DecodeError):
        raise TraptorError("the process that tried the key failed") from None
    finally:
        loop.remove_reader(pipe.fileno())
