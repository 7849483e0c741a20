"""The forker forks and reaps as it is told, holds next to nothing, and keeps nobody waiting for long."""

from __future__ import annotations

import errno
import gc
import os
import resource
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import psutil
import pytest
from support.births import worker_settings
from support.leftovers import Leftovers
from support.waiting import DEADLINE_S, wait_for

from traptor.common.birth import KafkaSettings, WorkerSettings
from traptor.supervisor.workers.forking import forker as forker_module
from traptor.supervisor.workers.forking import serving
from traptor.supervisor.workers.forking.forker import Forker, ForkerLate, ForkerLost
from traptor.supervisor.workers.forking.orders import Forked
from traptor.worker.afterfork import leave_parent


def _tell_and_sleep(connection: str, fds: Sequence[int], parent_pid: int) -> None:
    leave_parent(parent_pid, fds)
    os.write(fds[0], connection.encode())
    signal.pause()


def _tell_whether_it_collects(_connection: str, fds: Sequence[int], parent_pid: int) -> None:
    leave_parent(parent_pid, fds)
    os.write(fds[0], str(gc.isenabled()).encode())


@pytest.fixture(autouse=True)
def enough_time_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forker_module, "_END_S", DEADLINE_S)


@pytest.fixture
def forker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Forker]:
    monkeypatch.setattr(serving, "run_worker", _tell_and_sleep)
    monkeypatch.setattr(serving, "rehearse", lambda *_: None)  # what is late then is not the answer
    monkeypatch.setattr(forker_module, "ANSWER_S", 1.0)
    forker = Forker.start()
    yield forker
    if psutil.pid_exists(forker.pid):
        forker.end()


@contextmanager
def prepared(settings: WorkerSettings) -> Iterator[Forker]:
    """One that is told at once what to make ready."""
    forker = Forker.start()
    try:
        forker.prepare(settings, settings.outbox.state_dir / "rehearsal")
        yield forker
    finally:
        forker.end()


def fork(forker: Forker) -> tuple[int, int]:
    """A worker that has begun: its pid, and a pidfd of it."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            pid, pidfd = forker.fork("track:0", [theirs.fileno()])
        assert ours.recv(100) == b"track:0"
    return pid, pidfd


def has_ended(pidfd: int, within_s: float = DEADLINE_S) -> bool:
    return bool(select.select([pidfd], [], [], within_s)[0])


def test_a_worker_that_is_wanted_at_once_does_not_wait_for_a_rehearsal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(serving, "run_worker", _tell_and_sleep)
    monkeypatch.setattr(serving, "rehearse", lambda *_: os._exit(1))
    monkeypatch.setattr(serving, "_FIRST_MS", int(DEADLINE_S * 1000))
    with prepared(worker_settings(tmp_path)) as forker:
        os.close(fork(forker)[1])


def test_it_shows_what_it_is_and_has_nothing_open_but_its_orders(forker: Forker) -> None:
    os.close(fork(forker)[1])  # it has answered, so it has begun
    process = psutil.Process(forker.pid)
    assert " ".join(process.cmdline()).strip() == "traptor: forker"
    assert process.ppid() == os.getpid()
    assert process.num_threads() == 1
    # It closes the worker's descriptors when it has answered.
    wait_for(
        lambda: len(list(Path(f"/proc/{forker.pid}/fd").iterdir())) == 4, "stdin, stdout, stderr, orders"
    )


def test_what_cannot_be_made_ready_beforehand_keeps_no_worker_from_its_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_settings: WorkerSettings) -> None:
        raise ValueError("no such library")

    monkeypatch.setattr(serving, "run_worker", _tell_and_sleep)
    monkeypatch.setattr(serving, "warm_up", fail)
    with prepared(worker_settings(tmp_path)) as forker:
        os.close(fork(forker)[1])


@pytest.mark.parametrize(("chars", "is_prepared"), [(10_000, True), (1_000_000, False), (1, False)])
def test_settings_with_certificates_are_told_and_those_that_cannot_be_end_no_forker(
    chars: int, is_prepared: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What they would have made ready each worker then makes ready itself."""
    (tmp_path / "unprepared").touch()
    monkeypatch.setattr(serving, "run_worker", _tell_and_sleep)
    monkeypatch.setattr(serving, "rehearse", lambda *_: None)
    monkeypatch.setattr(serving, "warm_up", lambda settings: (tmp_path / "unprepared").unlink())
    value = "x" * chars if chars > 1 else "\udcff"
    kafka = KafkaSettings("127.0.0.1:1", "tweets", False, (("ssl.key.pem", value),), (), tmp_path)
    with prepared(replace(worker_settings(tmp_path), kafka=kafka)) as forker:
        os.close(fork(forker)[1])
        assert (tmp_path / "unprepared").exists() != is_prepared


def test_one_that_was_never_asked_for_anything_is_not_waited_for() -> None:
    """A mistake in the ini is said at once, and not when the forker has imported what no worker needs."""
    assert Forker.start().end() == -signal.SIGKILL


def test_a_worker_collects_its_garbage_though_the_forker_leaves_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "run_worker", _tell_whether_it_collects)
    forker = Forker.start()
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            os.close(forker.fork("track:0", [theirs.fileno()])[1])
        assert ours.recv(100) == b"True"
    forker.end()


def test_a_name_longer_than_a_packet_ends_no_forker(forker: Forker) -> None:
    """A key of API v2 may have such a name; what its worker makes of it is its own business."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            os.close(forker.fork("v2:" + "x" * 10_000, [theirs.fileno()])[1])
        assert ours.recv(10_000).startswith(b"v2:xxx")
    os.close(fork(forker)[1])


def test_a_terminal_or_a_service_manager_that_signals_all_does_not_end_it(forker: Forker) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR2):
        os.kill(forker.pid, number)
    _, pidfd = fork(forker)
    os.close(pidfd)
    assert forker.end() == 0


def test_it_is_not_the_one_that_is_offered_when_memory_runs_out(forker: Forker) -> None:
    os.close(fork(forker)[1])
    score = Path(f"/proc/{forker.pid}/oom_score_adj").read_text()
    assert score == Path("/proc/self/oom_score_adj").read_text()


def test_its_end_leaves_no_process_and_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "run_worker", _tell_and_sleep)
    left, before = Leftovers(), set(psutil.Process().children())
    forker = Forker.start()
    pid, pidfd = fork(forker)
    assert forker.end() == 0
    assert has_ended(pidfd), "no worker outlives it"
    os.close(pidfd)
    wait_for(lambda: not psutil.pid_exists(pid), "the worker is gone")
    left.wait_gone()
    assert set(psutil.Process().children()) <= before


def test_a_killed_one_takes_its_workers_with_it_and_says_so_at_once(forker: Forker) -> None:
    pid, pidfd = fork(forker)
    os.kill(forker.pid, signal.SIGKILL)
    assert has_ended(forker.pidfd)
    assert has_ended(pidfd)
    os.close(pidfd)
    assert forker.reap(pid) is None
    with pytest.raises(ForkerLost) as first:
        forker.fork("track:0", [])
    with pytest.raises(ForkerLost) as second:
        forker.fork("track:0", [])
    assert str(first.value) == str(second.value), "the reason stays"
    assert f"the forker (process {forker.pid}) is lost: it ended. Another one is made" in str(first.value)
    assert "see the kernel's log (journalctl -k) for what ended it" in str(first.value)
    assert first.value.errno == errno.EAGAIN
    assert forker.end() == -signal.SIGKILL


def test_one_that_does_not_answer_is_killed(forker: Forker) -> None:
    pid, pidfd = fork(forker)
    os.kill(forker.pid, signal.SIGSTOP)
    with pytest.raises(ForkerLost, match="within 1 s"):
        forker.fork("track:0", [])
    assert forker.is_lost
    assert has_ended(forker.pidfd)
    assert has_ended(pidfd)
    os.close(pidfd)
    with pytest.raises(ForkerLost):
        forker.fork("track:0", [])
    assert forker.reap(pid) is None
    assert forker.end() == -signal.SIGKILL


def test_one_that_is_late_keeps_nobody_waiting_and_its_workers_live_on(
    forker: Forker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forker_module, "ANSWER_S", 10 * DEADLINE_S)
    (first, first_fd), (other, other_fd) = fork(forker), fork(forker)
    late: list[bool] = []
    forker.tell_when_late(lambda: late.append(forker.is_late))
    os.kill(forker.pid, signal.SIGSTOP)
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(ForkerLate, match=r"does not answer.*tried again.*memory"):
        forker.fork("track:0", [theirs.fileno()])
    os.kill(first, signal.SIGKILL)
    assert has_ended(first_fd)
    assert forker.reap(first) is None
    with pytest.raises(ForkerLate, match=r"has not answered yet.*tried again.*memory"):
        forker.fork("track:0", [])
    assert late == [True]
    os.kill(forker.pid, signal.SIGCONT)
    assert has_ended(forker.answers.fileno()), "the answer comes"
    forker.hear()
    assert not forker.is_late
    children = psutil.Process(forker.pid).children()
    assert [child.pid for child in children] == [other], "no zombie, and no other worker"
    assert not has_ended(other_fd, 0.0)
    forker._patience_s = DEADLINE_S  # on a host that is as slow as tests may be
    pid, pidfd = fork(forker)
    assert psutil.Process(pid).ppid() == forker.pid
    for fd in (first_fd, other_fd, pidfd):
        os.close(fd)


def test_a_late_worker_that_is_gone_already_is_not_taken_for_another_process(
    forker: Forker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the forker ended after its answer, init asks for the worker's end, and its number is free."""
    monkeypatch.setattr(forker_module, "ANSWER_S", DEADLINE_S)
    gone = subprocess.Popen(["true"])
    pidfd = os.pidfd_open(gone.pid)
    gone.wait()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as stranger:
        told = [(Forked(stranger.pid), [pidfd])]
        real = forker_module.receive_answer
        monkeypatch.setattr(forker_module, "receive_answer", lambda sock: told.pop() if told else real(sock))
        forker.hear()
    assert stranger.returncode == 0
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(pidfd)


def test_a_late_worker_that_is_gone_already_and_came_without_a_pidfd_is_no_error(
    forker: Forker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forker_module, "ANSWER_S", DEADLINE_S)
    gone = subprocess.Popen(["true"])
    gone.wait()
    told = [(Forked(gone.pid), [])]
    real = forker_module.receive_answer
    monkeypatch.setattr(forker_module, "receive_answer", lambda sock: told.pop() if told else real(sock))
    forker.hear()
    os.close(fork(forker)[1])


@pytest.mark.parametrize(
    ("took_s", "then_s"), [(0.1, 1.0), (0.4, 1.0), (0.7, 2.0), (1.9, 2.0)], ids=lambda value: f"{value:g}s"
)
def test_only_a_prompt_answer_makes_it_less_patient(
    forker: Forker, monkeypatch: pytest.MonkeyPatch, took_s: float, then_s: float
) -> None:
    """Where every fork takes 0.7 s, half of that would have the next worker killed."""
    monkeypatch.setattr(forker_module, "ANSWER_S", DEADLINE_S)
    now, real = [100.0], forker_module.receive_answer

    def answered_later(sock: socket.socket) -> object:
        now[0] += took_s
        return real(sock)

    monkeypatch.setattr(forker_module, "monotonic", lambda: now[0], raising=False)
    monkeypatch.setattr(forker_module, "receive_answer", answered_later)
    forker._patience_s = 2.0
    os.close(fork(forker)[1])
    assert forker._patience_s == then_s


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_worker_that_the_master_has_no_descriptor_for_does_not_live(forker: Forker) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, no_more_descriptors(), pytest.raises(OSError, match="Too many open files"):
        forker.fork("track:0", [theirs.fileno()])
    assert not psutil.Process(forker.pid).children()
    os.close(fork(forker)[1])


def _without_room(real: Callable[..., None]) -> Callable[..., None]:
    """Send as `real` does, but not the first packet that has descriptors: the kernel has no room for it."""
    refusals = [OSError(errno.ETOOMANYREFS, os.strerror(errno.ETOOMANYREFS))]

    def send(sock: socket.socket, message: object, fds: Sequence[int] = ()) -> None:
        if fds and refusals:
            raise refusals.pop()
        real(sock, message, fds)

    return send


@pytest.mark.parametrize("end", [forker_module, serving])
def test_a_packet_that_the_kernel_has_no_room_for_costs_one_fork_and_no_stream(
    end: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "run_worker", _tell_and_sleep)
    monkeypatch.setattr(end, "send", _without_room(end.send))
    forker = Forker.start()
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(OSError, match=os.strerror(errno.ETOOMANYREFS)) as refused:
        forker.fork("track:0", [theirs.fileno()])
    assert not isinstance(refused.value, ForkerLost)
    assert not psutil.Process(forker.pid).children()
    pid, pidfd = fork(forker)
    os.kill(pid, signal.SIGKILL)
    assert has_ended(pidfd)
    os.close(pidfd)
    assert forker.reap(pid) == -signal.SIGKILL
    assert forker.end() == 0


MASTER = """
import os, sys
from traptor.supervisor.workers.forking.forker import Forker
print(Forker.start().pid, flush=True)
sys.stdin.read()
os._exit(0)
"""


@pytest.mark.parametrize("is_killed", [True, False])
def test_it_ends_with_its_master_however_that_ends(is_killed: bool) -> None:
    command = [sys.executable, "-c", MASTER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as master:
        assert master.stdout is not None
        forker = psutil.Process(int(master.stdout.readline()))
        assert forker.is_running()
        if is_killed:
            master.kill()
    wait_for(lambda: not forker.is_running() or forker.status() == psutil.STATUS_ZOMBIE, "its end")
