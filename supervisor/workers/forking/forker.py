"""The master's end of its link to the forker."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic

import msgspec

from traptor.common.birth import NO_GENERATION, Birth, WorkerSettings
from traptor.common.birthframe import birth_payload
from traptor.common.signals import HANDLED_SIGNALS
from traptor.supervisor.host.importing import importing
from traptor.supervisor.workers.forking.orders import (
    NO_ROOM,
    Answer,
    Failed,
    Forked,
    ForkOrder,
    Order,
    PrepareOrder,
    Reaped,
    ReapOrder,
    close_all,
    receive_answer,
    send,
)
from traptor.supervisor.workers.forking.plain import before_fork, live, watched

_MOST_CHARS = 200  # of a name, which is only shown in the title; no file may have a longer one
ANSWER_S = 10.0
_PROMPT_S = 0.5  # a fork takes some milliseconds; the event loop waits no longer for one at first
_PROMPTS_AT_FIRST = 4  # it may still import what workers need, and rehearse
_PROMPT_PART = 1 / 4  # of the patience: after an answer within it, half of the patience is plenty
_END_S = 2.0

_LATE_ADVICE = (
    "The fork is tried again, with the waits of `restart_backoff`; if this lasts, see whether the forker is"
    " stopped, and the load and free memory of this host"
)


_LOST_ADVICE = (
    "Another one is made, and the fork is tried again, with the waits of `restart_backoff`; if this comes"
    " again, see the kernel's log (journalctl -k) for what ended it, and this host's load and free memory"
)


class ForkerLost(OSError):
    """The forker is gone, or does not answer; its workers end with it."""

    def __init__(self, pid: int, why: str) -> None:
        super().__init__(errno.EAGAIN, f"the forker (process {pid}) is lost: {why}. {_LOST_ADVICE}")


class ForkerLate(OSError):
    """The forker has not answered this order or the one before; its answer may still come."""

    def __init__(self, what: str) -> None:
        super().__init__(errno.EAGAIN, f"{what}. {_LATE_ADVICE}")


class Forker:
    """One forker process. Only the main thread may start it: it is to die with the thread that does.

    While an answer is late, nothing is ordered. A worker that is told of late is not wanted any more, so the
    next answer is waited for twice as long: else none would ever be forked on a host that is slow.
    """

    def __init__(self, pid: int, pidfd: int, sock: socket.socket) -> None:
        self.pid = pid
        self.pidfd = pidfd  # readable once it has ended
        self._sock = sock
        self._is_asked = False
        self.is_lost = False  # it has ended, or does not answer
        self._why = "it was ended"  # once it is lost
        self.is_late = False
        self._on_late: Callable[[], object] | None = None
        self._patience_s = _PROMPTS_AT_FIRST * _PROMPT_S
        self._unreaped: list[int] = []  # dead workers whose ends nobody could ask for

    @classmethod
    def start(cls) -> Forker:
        """Fork one from this process, as it is now. Raises OSError when this host has no room for it."""
        with ExitStack() as undo:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            undo.callback(ours.close)
            with theirs:
                pid = _fork_forker(theirs)
            pidfd = watched(pid)
            undo.pop_all()
        return cls(pid, pidfd, ours)

    def prepare(self, settings: WorkerSettings, folder: Path) -> None:
        """Have what workers with these settings use made ready; else each takes longer to start.

        It rehearses in `folder`, which nobody else may use, and removes it.
        """
        self._is_asked = True
        with suppress(OSError, UnicodeError):
            birth = birth_payload(Birth("", NO_GENERATION, None, (), settings))
            send(self._sock, PrepareOrder(birth, str(folder)))

    def fork(self, connection: str, fds: Sequence[int]) -> tuple[int, int]:
        """Have a worker forked that gets these descriptors, and return its pid and a pidfd of it.

        Raises OSError when this host has no room for it, ForkerLost when there is no answer.
        """
        answer, came = self._ask(ForkOrder(connection[:_MOST_CHARS], len(fds)), fds)
        match answer:
            case Forked() if came:
                return answer.pid, came[0]
            case Forked():
                _kill_unwanted(answer.pid, came)
                self.reap(answer.pid)
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            case Failed():
                raise OSError(answer.errno, os.strerror(answer.errno))
        raise self._lost("it answers something else")

    def reap(self, pid: int) -> int | None:
        """Return the exit code of a worker that is dead or killed; None when nobody knows it now."""
        if self.is_late:
            self._unreaped.append(pid)
            return None
        try:
            answer, _ = self._ask(ReapOrder(pid))
        except OSError:
            return None
        return answer.code if isinstance(answer, Reaped) else None

    # ---- late answers

    @property
    def answers(self) -> socket.socket:
        """The socket that is readable once a late answer has come."""
        return self._sock

    def tell_when_late(self, on_late: Callable[[], object] | None) -> None:
        """Have this called when an answer is late: `hear` is to take it, or `give_up` to be called.

        With None, answers are waited for as long as they may take.
        """
        self._on_late = on_late

    def hear(self) -> None:
        """Take the late answer, which has come."""
        try:
            received = receive_answer(self._sock)
        except (OSError, msgspec.MsgspecError) as error:
            self._lost(_named(error))
            return
        if received is None:
            self._lost("it ended")
            return
        self.is_late = False
        self._patience_s = min(2 * self._patience_s, ANSWER_S)
        answer, pidfds = received
        if isinstance(answer, Forked):
            _kill_unwanted(answer.pid, pidfds)
            self._unreaped.append(answer.pid)
        close_all(pidfds)
        unreaped, self._unreaped = self._unreaped, []
        for pid in unreaped:
            self.reap(pid)

    def give_up(self) -> None:
        """Kill it, as its answer has not come."""
        self._lost(_too_late())

    # ---- its end

    def end(self) -> int | None:
        """End it, and any worker that is left; return its exit code once it is gone, if that is known."""
        self.is_lost = True
        if not self._is_asked:  # nobody needs it, and it may import for a while yet
            self._kill()
        self._sock.close()
        if not wait_for_end(self.pidfd, _END_S):
            self._kill()
            wait_for_end(self.pidfd, _END_S)
        os.close(self.pidfd)
        try:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:  # as init, the master reaps whatever has ended
            return None
        return os.waitstatus_to_exitcode(status) if ended else None

    def _ask(self, order: Order, fds: Sequence[int] = ()) -> tuple[Answer, list[int]]:
        if self.is_lost:  # and perhaps ended: its descriptors may be others' by now
            raise ForkerLost(self.pid, self._why)
        if self.is_late:
            raise ForkerLate("the forker has not answered yet")
        self._is_asked = True
        asked_at = monotonic()
        try:
            self._sock.settimeout(ANSWER_S if self._on_late is None else self._patience_s)
            send(self._sock, order, fds)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise
            raise self._lost(_named(error)) from None
        try:
            received = receive_answer(self._sock)
        except TimeoutError:
            if self._on_late is None:
                raise self._lost(_too_late()) from None
            self.is_late = True
            self._on_late()
            raise ForkerLate("the forker does not answer") from None
        except (OSError, msgspec.MsgspecError) as error:
            raise self._lost(_named(error)) from None
        if received is None:
            raise self._lost("it ended")
        if monotonic() - asked_at < _PROMPT_PART * self._patience_s:
            self._patience_s = max(_PROMPT_S, self._patience_s / 2)
        return received

    def _lost(self, why: str) -> ForkerLost:
        """Return the error, and make sure that it ends: a late answer would be one to another order."""
        self.is_lost, self.is_late, self._why = True, False, why
        self._kill()
        return ForkerLost(self.pid, why)

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)


def _kill_unwanted(pid: int, pidfds: Sequence[int]) -> None:
    """Kill a worker that nobody waits for. If the forker has ended since, it is gone, and its number free."""
    with suppress(ProcessLookupError):
        if pidfds:
            signal.pidfd_send_signal(pidfds[0], signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)  # its number is not reused before the forker asks for its end


def _named(error: Exception) -> str:
    """Say what an error of its socket means."""
    return "it ended" if isinstance(error, BrokenPipeError | ConnectionResetError) else str(error)


def _too_late() -> str:
    return f"it did not answer within {ANSWER_S:g} s"


def wait_for_end(pidfd: int, timeout_s: float) -> bool:
    """Wait until a process has ended, at most so long, and return whether it has."""
    poll = select.poll()  # select() cannot take descriptors from 1,024 on
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))


def _fork_forker(orders: socket.socket) -> int:
    master_pid = os.getpid()
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
    try:
        with before_fork():
            pid = os.fork()
        if not pid:
            live(lambda: _serve_orders(orders, master_pid))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return pid


def _serve_orders(orders: socket.socket, master_pid: int) -> None:
    # All that workers need is imported here, meanwhile the master imports what it needs itself.
    with importing():
        from traptor.supervisor.workers.forking.serving import serve_orders
    serve_orders(orders, master_pid)
