"""Ports for servers of trials and tests."""

from __future__ import annotations

import atexit
import random
import socket

# Below the ports that the kernel gives to outgoing connections (32768 and up), so that none of these takes
# the port of a server that is down for a while.
_FIRST, _LAST = 20_000, 32_000

_draw = random.SystemRandom()  # tests seed the other generator alike
_claims: list[socket.socket] = []


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nothing listens, and that nobody else gets from here.

    It stays the caller's until this process ends, though a server on it may be down.
    """
    while True:
        port = _draw.randrange(_FIRST, _LAST)
        if _is_free(port) and _claim(port):
            return port


def claimed() -> frozenset[int]:
    """Return the descriptors that keep the ports drawn by this process."""
    return frozenset(claim.fileno() for claim in _claims)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _claim(port: int) -> bool:
    """Tell whether the port is ours now: a name outside of all folders, which goes with this process."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0traptor-trial-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True


@atexit.register
def _give_back() -> None:
    """Close the claims: Python warns of sockets that it has to close itself."""
    for claim in _claims:
        claim.close()
