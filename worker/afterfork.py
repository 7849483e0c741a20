"""Part a fresh fork from its parent, nothing of which may act on in it, and make a worker of it."""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import os
import signal
import sys
from collections.abc import Callable, Collection
from itertools import pairwise
from types import FrameType
from typing import IO

import setproctitle

from traptor.common.signals import HANDLED_SIGNALS

# The master uses it to ask a hung worker for its stacks.
EVIDENCE_SIGNAL = signal.SIGUSR2
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_MOST_FD = (1 << 32) - 1
_OOM_SCORE = 300  # of 1,000: before anything of this host that does not ask for it
_SWITCH_S = sys.getswitchinterval()  # at the import, when nothing has changed it yet
_libc = ctypes.CDLL(None)


def leave_parent(parent_pid: int, keep_fds: Collection[int]) -> None:
    """Detach the child from its parent's event loop, descriptors and collector, and from a dead parent."""
    signal.set_wakeup_fd(-1)
    for number in HANDLED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    _die_with_parent(parent_pid)
    # While the master answers a request about rules it has a shorter one, and the fork would keep it.
    sys.setswitchinterval(_SWITCH_S)
    # Nothing inherited may be finalised here: its descriptor number may be reused by then.
    gc.freeze()
    gc.enable()  # the forker collects nothing; a worker lives for weeks
    _close_all_but(keep_fds)


def listen_to_signals(on_term: Callable[[], None], evidence: IO[str]) -> None:
    """Drain on TERM, write all stacks into `evidence` on USR2; ignore a terminal's signals."""

    def handle_term(_number: int, _frame: FrameType | None) -> None:
        on_term()

    signal.signal(signal.SIGTERM, handle_term)
    faulthandler.register(EVIDENCE_SIGNAL, file=evidence, all_threads=True)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED_SIGNALS)


def set_title(connection: str, state: str) -> None:
    """Show in `ps` which connection this process serves."""
    setproctitle.setproctitle(f"traptor: {connection} [{state}]")


def give_memory_back() -> None:
    """Return freed memory to the system: a connect with thousands of rules needs some MiB for a moment."""
    gc.collect()
    if hasattr(_libc, "malloc_trim"):  # glibc only
        _libc.malloc_trim(0)


def _die_with_parent(parent_pid: int) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:  # it died before the call above
        os._exit(1)


def offer_to_oom_killer() -> None:
    """When memory runs out, have the kernel end a worker: the master replaces it, and nobody the master."""
    try:
        fd = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
        try:
            if int(os.read(fd, 16)) < _OOM_SCORE:
                os.pwrite(fd, b"%d" % _OOM_SCORE, 0)
        finally:
            os.close(fd)
    except (OSError, ValueError):
        pass  # without it the kernel chooses by size alone


def _close_all_but(keep_fds: Collection[int]) -> None:
    """Close what was inherited, of a master some five per worker, in few calls and without listing it."""
    borders = sorted({2, *(fd for fd in keep_fds if fd > 2), _MOST_FD})
    for kept, next_kept in pairwise(borders):
        if next_kept - kept > 1 and not _close_range(kept + 1, next_kept - 1):
            _close_one_by_one(keep_fds)
            return


def _close_range(first: int, last: int) -> bool:
    """Close all descriptors from `first` to `last`; return False when one call cannot do that here."""
    close_range = getattr(_libc, "close_range", None)
    return close_range is not None and close_range(ctypes.c_uint(first), ctypes.c_uint(last), 0) == 0


def _close_one_by_one(keep_fds: Collection[int]) -> None:
    for name in os.listdir("/proc/self/fd"):  # descriptor numbers, not paths
        number = int(name)
        if number > 2 and number not in keep_fds:
            try:
                os.close(number)
            except OSError:
                pass  # the descriptor of the listing itself
