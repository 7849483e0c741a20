"""End a program that is interrupted while it still imports what it needs, without a traceback."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_end_it() -> Iterator[None]:
    """Have Ctrl-C end the process at once, as it does programs that have no handler.

    Python's handler raises KeyboardInterrupt, whose traceback through half the imports tells nobody anything.
    An interrupt that is ignored, as in the background of a script, stays so.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
