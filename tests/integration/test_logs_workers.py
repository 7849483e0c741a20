"""Workers' logs with real processes that are killed, held up, and cut off from their disk."""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import re
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.leftovers import Leftovers
from support.logworkers import LogWorker, logging_put_back, make_birth
from support.waiting import DEADLINE_S, wait_for

from traptor.common.logs.event import fields, lifecycle
from traptor.common.logs.master import MasterLogs, configure_master_logging
from traptor.common.logs.worker import WorkerLogBridge, WorkerLogs, receiver_of_records

log = logging.getLogger("traptor.test")

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
LOAD_LINE = re.compile(rf"{STAMP} WARNING worker=track:0 gen=\d+ pid=\d+ load n=\d+ filler=x{{80}}")


@pytest.fixture
def master(tmp_path: Path) -> Iterator[MasterLogs]:
    with logging_put_back():
        logs = configure_master_logging("INFO", "text", tmp_path)
        yield logs
        logs.close()


def supervisor_log(log_dir: Path) -> list[str]:
    return (log_dir / "supervisor.log").read_text().splitlines()


def own_log(log_dir: Path) -> list[str]:
    path = log_dir / "track:0.log"
    return path.read_text().splitlines() if path.exists() else []


def log_flat_out(_logs: WorkerLogs) -> None:
    number = 0
    while True:
        log.warning("load", extra=fields(n=number, filler="x" * 80))
        number += 1


def test_warnings_and_steps_of_life_arrive_in_supervisor_log_and_everything_in_the_own_file(
    tmp_path: Path, master: MasterLogs
) -> None:
    def work(_logs: WorkerLogs) -> None:
        log.info("only mine")
        log.info("streaming", extra=lifecycle(key="k2"))
        try:
            raise ValueError("first\nsecond")
        except ValueError:
            log.exception("%s failed", "it", extra=fields(place=tmp_path, status=None))

    worker = LogWorker(make_birth(tmp_path, generation=3), work)
    pid = worker.process.pid
    assert worker.end() == 0
    own, collected = own_log(tmp_path), supervisor_log(tmp_path)
    assert own[0].endswith(f"INFO  worker=track:0 gen=3 pid={pid} only mine")
    assert collected == own[1:]
    assert collected[0].endswith(f"INFO  worker=track:0 gen=3 pid={pid} streaming key=k2")
    assert collected[1].endswith(f"ERROR worker=track:0 gen=3 pid={pid} it failed place={tmp_path}")
    assert collected[-2:] == ["    ValueError: first", "    second"]


def test_as_json_too(tmp_path: Path, master: MasterLogs) -> None:
    master.change("INFO", "json")
    birth = make_birth(tmp_path, log_format="json")
    worker = LogWorker(birth, lambda _logs: log.warning("slow", extra=fields(seconds=1.5)))
    assert worker.end() == 0
    [line] = supervisor_log(tmp_path)
    assert own_log(tmp_path) == [line]
    read = json.loads(line)
    assert (read["worker"], read["gen"], read["message"], read["seconds"]) == ("track:0", 1, "slow", 1.5)


def test_what_cannot_be_pickled_arrives_as_text(tmp_path: Path, master: MasterLogs) -> None:
    def work(_logs: WorkerLogs) -> None:
        log.warning("holds %s", threading.Lock(), extra=fields(lock=threading.Lock(), f=lambda: 1))

    assert LogWorker(make_birth(tmp_path), work).end() == 0
    [line] = supervisor_log(tmp_path)
    assert "holds <unlocked _thread.lock" in line


def test_a_worker_logs_nowhere_where_its_master_did(tmp_path: Path, master: MasterLogs) -> None:
    inherited = logging.FileHandler(tmp_path / "inherited.log")
    logging.getLogger("some.library").addHandler(inherited)
    worker = LogWorker(make_birth(tmp_path), lambda _logs: logging.getLogger("some.library").info("careful"))
    assert worker.end() == 0
    assert (tmp_path / "inherited.log").read_text() == ""
    assert [line.split(" ")[-1] for line in own_log(tmp_path)] == ["careful"]
    logging.getLogger("some.library").removeHandler(inherited)
    inherited.close()


def test_the_redis_password_and_learnt_secrets_are_hidden_in_both_logs(
    tmp_path: Path, master: MasterLogs
) -> None:
    def work(logs: WorkerLogs) -> None:
        logs.know(["SECRET-token"])
        log.warning("SECRET-redis-password", extra=fields(token="SECRET-token"))

    assert LogWorker(make_birth(tmp_path), work).end() == 0
    for lines in (own_log(tmp_path), supervisor_log(tmp_path)):
        assert [line.split(" ")[-2:] for line in lines] == [["***", "token=***"]]


def test_the_stacks_of_a_hung_worker_go_into_its_log_after_a_rotation_too(
    tmp_path: Path, master: MasterLogs
) -> None:
    def hang(logs: WorkerLogs) -> None:
        faulthandler.register(signal.SIGUSR2, file=logs.evidence)
        log.info("before")
        (tmp_path / "track:0.log").rename(tmp_path / "track:0.log.1")
        log.info("hanging")
        threading.Event().wait()

    worker = LogWorker(make_birth(tmp_path), hang)
    wait_for(lambda: any("hanging" in line for line in own_log(tmp_path)), "the worker hangs")
    assert worker.process.pid is not None
    os.kill(worker.process.pid, signal.SIGUSR2)
    wait_for(lambda: any("in hang" in line for line in own_log(tmp_path)), "the stack is in the new file")
    worker.kill()
    assert worker.end() == -signal.SIGKILL


@pytest.mark.parametrize("kills", [20, pytest.param(100, marks=pytest.mark.long)])
def test_kills_under_log_load_leave_threads_descriptors_and_the_masters_log_in_order(
    tmp_path: Path, master: MasterLogs, kills: int
) -> None:
    left = Leftovers()
    for generation in range(1, kills + 1):
        worker = LogWorker(make_birth(tmp_path, generation=generation), log_flat_out)
        mine = f" gen={generation} "
        wait_for(lambda mine=mine: _tail_has(tmp_path / "supervisor.log", mine), f"records with{mine}")
        worker.kill()
        assert worker.end() == -signal.SIGKILL
        log.info("killed", extra=fields(generation=generation))
        (tmp_path / "track:0.log").unlink()
    left.wait_gone()
    said = []
    for line in supervisor_log(tmp_path):
        if " killed " in line:
            said.append(int(line.rsplit("=", 1)[1]))
        else:
            assert LOAD_LINE.fullmatch(line), line
    assert said == list(range(1, kills + 1)), "the master's own lines are all there"


def _tail_has(path: Path, text: str) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        return text in file.read().decode(errors="replace")


def test_a_worker_ends_though_the_master_does_not_take_its_records(
    tmp_path: Path, master: MasterLogs
) -> None:
    """Its receiving thread is held up by a handler; what does not fit is counted, and said when it can be."""
    held = threading.Event()

    class Held(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            held.wait()

    def work(logs: WorkerLogs) -> None:
        for number in range(3000):
            log.warning("load", extra=fields(n=number))
        logs.close()
        os._exit(7 if logs.lost else 8)

    root = logging.getLogger()
    root.handlers.append(Held())
    worker = LogWorker(make_birth(tmp_path), work)
    worker.process.join(DEADLINE_S)
    assert worker.process.exitcode == 7, "it ended, and counted what was not taken"
    held.set()
    worker.end()
    assert len(own_log(tmp_path)) == 3000


def test_a_fork_that_failed_leaves_no_thread(tmp_path: Path, master: MasterLogs) -> None:
    left = Leftovers()
    bridge = WorkerLogBridge(receiver_of_records())
    assert not bridge.finished
    bridge.after_fork_in_master()
    wait_for(lambda: bridge.finished, "the receiving thread ends")
    left.wait_gone()


def test_a_log_dir_removed_while_running_stops_no_worker(tmp_path: Path, master: MasterLogs) -> None:
    log_dir = tmp_path / "logs"
    log_dir.mkdir()
    gone, back = tmp_path / "gone", tmp_path / "back"

    def work(logs: WorkerLogs) -> None:
        log.info("first")
        wait_for(gone.exists, "the folder is gone")
        for _ in range(10):
            log.info("lost")
        assert logs.lost == 10
        (tmp_path / "ten lost").touch()
        wait_for(back.exists, "the folder is back")
        log.info("last")

    worker = LogWorker(make_birth(log_dir), work)
    wait_for(lambda: own_log(log_dir), "the worker logs")
    shutil.rmtree(log_dir)
    gone.touch()
    wait_for((tmp_path / "ten lost").exists, "the worker went on")
    # The other log says it meanwhile.
    wait_for(
        lambda: any("log lines lost" in line for line in supervisor_log(tmp_path)), "supervisor.log says"
    )
    log_dir.mkdir()
    back.touch()
    assert worker.end() == 0
    last, lost = own_log(log_dir)
    assert last.endswith(" last")
    assert f"log lines lost count=10 log={log_dir / 'track:0.log'}" in lost


def test_two_generations_at_once_share_a_file_line_by_line(tmp_path: Path, master: MasterLogs) -> None:
    def work(_logs: WorkerLogs) -> None:
        for number in range(2000):
            log.info("load", extra=fields(n=number, filler="y" * (number % 300)))

    workers = [LogWorker(make_birth(tmp_path, generation=generation), work) for generation in (1, 2)]
    assert [worker.end() for worker in workers] == [0, 0]
    pattern = re.compile(rf"{STAMP} INFO  worker=track:0 gen=(\d) pid=\d+ load n=(\d+) filler=(?:y+|\"\")")
    seen: dict[str, list[int]] = {"1": [], "2": []}
    for line in own_log(tmp_path):
        match = pattern.fullmatch(line)
        assert match, line
        seen[match[1]].append(int(match[2]))
    assert seen["1"] == seen["2"] == list(range(2000))
