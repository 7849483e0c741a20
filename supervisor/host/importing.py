"""Import what a program needs: fast, and without a traceback when it is interrupted meanwhile."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Import inside the block what stays until the end of the process.

    The collector looks at none of it, now or later: it would find nothing, and takes 20 ms each time.
    Ctrl-C ends the process at once, as it does programs that have no handler.
    """
    gc.disable()
    try:
        with _interrupts_end_it():
            yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def _interrupts_end_it() -> Iterator[None]:
    """Replace Python's handler, which raises KeyboardInterrupt: its traceback tells nobody anything.

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
