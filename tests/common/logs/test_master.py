"""The master's logging, from its set-up to what may stand in it; also on a stdout that nobody reads."""

from __future__ import annotations

import json
import logging
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.logworkers import logging_put_back
from support.waiting import DEADLINE_S

from traptor.common.errors import ConfigError
from traptor.common.logs.event import fields
from traptor.common.logs.files import LogStream
from traptor.common.logs.master import configure_master_logging

TO_STDOUT = """
import logging, sys
from traptor.common.logs.files import LogStream
from traptor.common.logs.master import configure_master_logging

logs = configure_master_logging("INFO", "text", None)
log = logging.getLogger("traptor.test")
for number in range(int(sys.argv[1])):
    log.info("line %d %s", number, "x" * 100)
print("lost", logs.lost, file=sys.stderr, flush=True)
sys.stdin.read(1)
log.info("back")
logs.close()
"""
COUNT = 5000


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    with logging_put_back():
        yield


def test_everything_goes_to_supervisor_log_and_nowhere_else(tmp_path: Path) -> None:
    other = logging.StreamHandler()
    logging.getLogger("some.library").addHandler(other)
    logs = configure_master_logging("INFO", "text", tmp_path / "new" / "logs")
    logging.getLogger("some.library").warning("careful")
    logging.getLogger("traptor.supervisor").info("started", extra=fields(keys=3))
    logs.close()
    lines = (tmp_path / "new" / "logs" / "supervisor.log").read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["WARNING careful", "INFO  started keys=3"]
    assert logging.getLogger("some.library").handlers == []


def test_level_and_format_can_be_changed_while_running(tmp_path: Path) -> None:
    logs = configure_master_logging("WARNING", "text", tmp_path)
    log = logging.getLogger("traptor.test")
    log.info("not shown")
    logs.change("INFO", "json")
    log.info("shown")
    logs.close()
    assert json.loads((tmp_path / "supervisor.log").read_text())["message"] == "shown"


def test_debug_is_for_our_own_lines(tmp_path: Path) -> None:
    """Libraries show whole requests, with signatures, at DEBUG."""
    logs = configure_master_logging("DEBUG", "text", tmp_path)
    logging.getLogger("requests_oauthlib.oauth1_auth").debug("signing a request")
    logging.getLogger("traptor.test").debug("ours")
    logs.close()
    text = (tmp_path / "supervisor.log").read_text()
    assert "ours" in text
    assert "signing" not in text


def test_secrets_known_at_the_start_and_learnt_later_are_hidden(tmp_path: Path) -> None:
    logs = configure_master_logging("INFO", "text", tmp_path, secrets=["SECRET-1"])
    logs.know(["SECRET-2"])
    logging.getLogger("traptor.test").info("SECRET-1", extra=fields(key="SECRET-2"))
    logs.close()
    assert "SECRET" not in (tmp_path / "supervisor.log").read_text()


def test_a_log_dir_that_cannot_be_made_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"\[supervisor\] log_dir: .*file/logs cannot be made: Not a dir"):
        configure_master_logging("INFO", "text", tmp_path / "file" / "logs")


def run_to_stdout(count: int, stdout: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", TO_STDOUT, str(count)],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def finish(process: subprocess.Popen[bytes]) -> int:
    """Let it go on to its end; how many records it said were lost."""
    assert process.stdin is not None
    assert process.stderr is not None
    lost = process.stderr.readline().split()
    process.stdin.write(b"\n")
    process.stdin.close()
    return int(lost[1])


def read_all(fd: int) -> bytes:
    pieces = []
    while piece := os.read(fd, 65_536):
        pieces.append(piece)
    return b"".join(pieces)


def test_a_stdout_that_nobody_reads_stops_nobody_and_what_it_shows_is_whole() -> None:
    reading, writing = os.pipe()
    process = run_to_stdout(COUNT, writing)
    os.close(writing)
    # The process gets to its end though nobody reads: its count of losses is the proof.
    assert process.stderr is not None
    ready, _, _ = select.select([process.stderr], [], [], 30)
    assert ready, "the process is held up by its stdout"
    first = os.read(reading, 1 << 20)
    lost = finish(process)
    text = (first + read_all(reading)).decode()
    assert process.wait(DEADLINE_S) == 0
    process.stderr.close()
    os.close(reading)
    lines = text.splitlines()
    numbers = [int(line.split()[3]) for line in lines if " line " in line]
    assert lost > 0
    assert len(numbers) == COUNT - lost
    assert all(line.endswith("x" * 100) for line in lines if " line " in line)
    assert lines[-2].endswith("INFO  back")
    assert lines[-1].endswith(f"WARNING log lines lost count={lost} log=-")


def test_a_record_longer_than_the_pipe_has_room_for_is_whole_in_the_end() -> None:
    """What was not taken of it goes ahead of the next record."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    lines = LogStream(writing, logging.Formatter("%(message)s"))
    record = logging.LogRecord("traptor", logging.INFO, "", 0, "a" * 100_000, (), None)
    lines.handle(record)
    assert lines.lost == 0
    text = b""
    while not text.endswith(b"next\n"):
        text += os.read(reading, 1 << 20)
        lines.handle(logging.LogRecord("traptor", logging.INFO, "", 0, "next", (), None))
    assert set(text.decode().splitlines()) == {"a" * 100_000, "next"}
    lines.close()
    os.close(reading)
    os.close(writing)


def test_a_socket_as_stdout_is_never_waited_for() -> None:
    """As under systemd, where it leads to the journal."""
    ours, theirs = socket.socketpair()
    process = run_to_stdout(COUNT, theirs.fileno())
    theirs.close()
    assert process.stderr is not None
    ready, _, _ = select.select([process.stderr], [], [], 30)
    assert ready, "the process is held up by its stdout"
    assert finish(process) > 0
    read_all(ours.fileno())
    assert process.wait(DEADLINE_S) == 0
    process.stderr.close()
    ours.close()


def test_a_file_as_stdout_gets_every_line_also_after_what_was_in_it(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out:
        out.write(b"before\n")
        out.flush()
        process = run_to_stdout(100, out.fileno())
    assert finish(process) == 0
    assert process.wait(DEADLINE_S) == 0
    assert process.stderr is not None
    process.stderr.close()
    lines = (tmp_path / "out").read_text().splitlines()
    assert lines[0] == "before"
    assert len(lines) == 102


def test_writing_to_stdout_leaves_its_shared_flags_alone() -> None:
    reading, writing = os.pipe()
    process = run_to_stdout(1, writing)
    finish(process)
    assert process.wait(DEADLINE_S) == 0
    assert process.stderr is not None
    process.stderr.close()
    assert os.get_blocking(writing)
    os.close(writing)
    os.close(reading)
