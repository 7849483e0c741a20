"""The signals that master and workers handle, each in its own way."""

from __future__ import annotations

import signal

# Blocked around a fork, and in the forker always: none of them can run a handler of the parent in the child.
HANDLED_SIGNALS = frozenset(
    {
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGHUP,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGCHLD,
    }
)
