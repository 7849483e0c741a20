"""Notice that nobody reads stdout any more, as when it is a pipe to `head`."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable

_STDOUT = 1
_UNASKED = 0  # the end of the reader (EPOLLERR, EPOLLHUP) is reported for any event mask


class StdoutWatch:
    """Calls `on_gone` once, without polling; a regular file never loses its reader."""

    def __init__(self, on_gone: Callable[[], None], fd: int = _STDOUT) -> None:
        self._on_gone = on_gone
        self._fd = fd
        self._epoll: select.epoll | None = None

    def start(self) -> None:
        """Watch, in the running event loop."""
        self._epoll = select.epoll()
        try:
            self._epoll.register(self._fd, _UNASKED)
        except OSError:  # a regular file, which epoll refuses
            self.close()
        else:
            asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._gone)

    def close(self) -> None:
        """Stop watching."""
        if self._epoll is not None:
            asyncio.get_running_loop().remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None

    def _gone(self) -> None:
        self.close()
        self._on_gone()
