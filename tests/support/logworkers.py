"""Real forked workers that only log, and a logging set-up that is put back afterwards."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from support.births import worker_settings
from support.waiting import DEADLINE_S, wait_for
from traptor.common.birth import Birth
from traptor.common.logs.worker import (
    WorkerLogBridge,
    WorkerLogs,
    configure_worker_logging,
    receiver_of_records,
)
from traptor.common.rules.rule import GroupId
from traptor.worker.afterfork import leave_parent

Work = Callable[[WorkerLogs], object]


@contextlib.contextmanager
def logging_put_back() -> Iterator[None]:
    """Undo what the block does to the process's loggers, and end the workers that a failed test left."""
    root, ours = logging.getLogger(), logging.getLogger("traptor")
    others = [one for one in logging.Logger.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    before = [(one, list(one.handlers), one.level, one.propagate) for one in {root, ours, *others}]
    try:
        yield
    finally:
        for left in multiprocessing.active_children():
            left.kill()
            left.join()
        for logger, handlers, level, propagate in before:
            logger.handlers[:] = handlers
            logger.setLevel(level)
            logger.propagate = propagate


def make_birth(
    log_dir: Path | None, connection: str = "track:0", generation: int = 1, log_format: str = "text"
) -> Birth:
    """A generation that logs."""
    settings = worker_settings(
        Path("unused"),
        redis_url="redis://:SECRET-redis-password@127.0.0.1:1/0",
        log_dir=log_dir,
        log_format=log_format,
    )
    return Birth(connection, generation, GroupId.parse("track:0"), (), settings)


class LogWorker:
    """A forked process that sets up a worker's logging and does `work`, as workers do."""

    def __init__(self, birth: Birth, work: Work) -> None:
        self.bridge = WorkerLogBridge(receiver_of_records())
        context = multiprocessing.get_context("fork")
        self.process = context.Process(
            target=_run, args=(os.getpid(), birth, self.bridge.writer, work), daemon=True
        )
        self.process.start()
        self.bridge.after_fork_in_master()

    def kill(self) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGKILL)

    def end(self) -> int:
        """Wait until it is gone and its last record was received; its exit code."""
        self.process.join(DEADLINE_S)
        code = self.process.exitcode
        assert code is not None, "the worker does not end"
        self.process.close()
        wait_for(lambda: self.bridge.finished, "the receiving thread ends with its worker")
        return code


def _run(master_pid: int, birth: Birth, log_fd: int, work: Work) -> None:
    leave_parent(master_pid, {log_fd})
    logs = configure_worker_logging(birth, log_fd)
    work(logs)
    logs.close()
