"""The end of whoever reads is noticed by an event, whatever stdout is."""

from __future__ import annotations

import asyncio
import os
import pty
import socket
from pathlib import Path

from support.waiting import DEADLINE_S

from traptor.supervisor.host.stdoutwatch import StdoutWatch


async def noticed(writer: int, reader: int, *, filled: bool = False) -> None:
    """Fails when the end of the reader is not noticed, or something before it is taken for that."""
    gone = asyncio.Event()
    watch = StdoutWatch(gone.set, writer)
    watch.start()
    try:
        os.write(writer, b"a line\n")
        if filled:
            os.set_blocking(writer, False)
            while _wrote(writer):
                pass
        os.read(reader, 100)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not gone.is_set()
        os.close(reader)
        async with asyncio.timeout(DEADLINE_S):
            await gone.wait()
    finally:
        watch.close()
        os.close(writer)


def _wrote(fd: int) -> bool:
    try:
        return os.write(fd, bytes(65536)) > 0
    except BlockingIOError:
        return False


def test_a_pipe_that_nobody_reads() -> None:
    reader, writer = os.pipe()
    asyncio.run(noticed(writer, reader))


def test_a_full_pipe_that_nobody_reads() -> None:
    reader, writer = os.pipe()
    asyncio.run(noticed(writer, reader, filled=True))


def test_a_socket_that_nobody_reads() -> None:
    ours, theirs = socket.socketpair()
    asyncio.run(noticed(ours.detach(), theirs.detach()))


def test_a_terminal_that_was_closed() -> None:
    reader, writer = pty.openpty()
    asyncio.run(noticed(writer, reader))


def test_one_that_was_gone_before() -> None:
    async def watch_it() -> None:
        reader, writer = os.pipe()
        os.close(reader)
        gone = asyncio.Event()
        watch = StdoutWatch(gone.set, writer)
        watch.start()
        async with asyncio.timeout(DEADLINE_S):
            await gone.wait()
        os.close(writer)

    asyncio.run(watch_it())


def test_a_file_is_never_gone(tmp_path: Path) -> None:
    async def watch_it() -> None:
        gone = asyncio.Event()
        with (tmp_path / "output").open("wb") as file:
            watch = StdoutWatch(gone.set, file.fileno())
            watch.start()
            await asyncio.sleep(0)
            assert not gone.is_set()
            watch.close()

    asyncio.run(watch_it())
