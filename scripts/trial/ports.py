"""Ports for servers of trials and tests."""

from __future__ import annotations

import os
import random
import socket

# Below the ports that the kernel gives to outgoing connections (32768 and up), so that none of these takes
# the port of a server that is down for a while.
_FIRST, _LAST = 20_000, 32_000
_BLOCK = 1_500  # per process of a parallel test run

_draw = random.SystemRandom()  # tests seed the other generator alike


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nothing listens.

    Parallel test processes (pytest-xdist) draw from separate blocks.
    """
    first, last = _block(os.environ.get("PYTEST_XDIST_WORKER", ""))
    while True:
        port = _draw.randrange(first, last)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _block(worker: str) -> tuple[int, int]:
    if not worker.startswith("gw"):
        return _FIRST, _LAST
    first = _FIRST + int(worker[2:]) * _BLOCK % (_LAST - _FIRST)
    return first, first + _BLOCK
