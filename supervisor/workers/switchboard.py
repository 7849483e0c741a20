"""Hear the workers: at once where one rings, and otherwise all together when the master wants to know."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable


class Switchboard:
    """The lines to all workers, and the bell with which a worker asks to be heard at once.

    Every worker reports once a second. To be woken for a report costs the master more than to read it, so
    what is not urgent waits until the master hears all.
    """

    def __init__(self) -> None:
        self.bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)  # every worker keeps it
        self._said = select.epoll()
        self._lines: dict[int, Callable[[], bool]] = {}

    def plug(self, fd: int, read: Callable[[], bool]) -> None:
        """Have `read` called when there is something to read from `fd`; it tells whether there may be more.

        Call this in the running event loop. Raises OSError when this host has no room for it.
        """
        self._said.register(fd, select.EPOLLIN)
        if not self._lines:
            asyncio.get_running_loop().add_reader(self.bell, self._rung)
        self._lines[fd] = read

    def unplug(self, fd: int) -> None:
        """End that; call this before `fd` is closed."""
        if self._lines.pop(fd, None) is None:
            return
        self._said.unregister(fd)
        if not self._lines:
            asyncio.get_running_loop().remove_reader(self.bell)

    def hear(self) -> None:
        """Read what workers have said until now; of one that says much, the rest after other work."""
        for fd, _ in self._said.poll(0, max(1, len(self._lines))):  # else 1,023 at most
            read = self._lines.get(fd)  # None: what another one said has ended it
            if read is not None and read():
                os.eventfd_write(self.bell, 1)

    def close(self) -> None:
        """Hear nobody any more; all lines are unplugged."""
        self._said.close()
        os.close(self.bell)

    def _rung(self) -> None:
        os.eventfd_read(self.bell)
        self.hear()
