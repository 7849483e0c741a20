"""Lines on a stdout that workers share: whole, also when one of them is killed in the middle of a line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.waiting import DEADLINE_S

TESTS = Path(__file__).parent.parent

# Forks `count` workers that write numbered lines to stdout, each its name and a long filler.
MANY = """
import os, sys
from support.outgoing import tweet, other
from traptor.worker.sink import open_sink

workers, lines = int(sys.argv[1]), int(sys.argv[2])
for worker in range(workers):
    if os.fork() == 0:
        sink = open_sink("jsonl:-", "topic", f"track:{worker}")
        sink.open()
        for number in range(lines):
            sink.send(tweet(worker * 1_000_000 + number, filler=9000 - number % 2000))
        sink.close()
        os._exit(0)
for _ in range(workers):
    os.wait()
"""

# One worker begins a line that is longer than the pipe, and is killed; another writes after it.
KILLED = """
import os, signal, sys, time
from support.outgoing import tweet
from traptor.worker.sink import open_sink

def sink():
    made = open_sink("jsonl:-", "topic", "track:0")
    made.open()
    return made

first = os.fork()
if first == 0:
    sink().send(tweet(1, filler=1_000_000))
    os._exit(1)
print("writing", first, file=sys.stderr, flush=True)
os.waitpid(first, 0)
second = os.fork()
if second == 0:
    sink().send(tweet(2))
    os._exit(0)
os.waitpid(second, 0)
"""

# Waits for a reader that does not come, is told to stop, and drains.
STOPPED = """
import sys, threading, time
from support.outgoing import tweet
from traptor.worker.sink import SinkStopped, open_sink

sink = open_sink("jsonl:-", "drop", "track:0")
sink.open()
threading.Thread(target=lambda: (sys.stdin.read(1), sink.stop_waiting()), daemon=True).start()
try:
    for number in range(10_000):
        sink.send(tweet(number, filler=1000))
        if number % 10 == 0:
            print("sent", number, file=sys.stderr, flush=True)
except SinkStopped:
    print("stopped", sink.counts.accepted, file=sys.stderr, flush=True)
print("left", sink.drain(time.monotonic() + float(sys.argv[1])), file=sys.stderr, flush=True)
sink.close()
"""


@contextmanager
def running(script: str, *args: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def ids(text: bytes) -> list[int]:
    return [json.loads(line)["id"] for line in text.splitlines()]


def test_lines_of_several_workers_are_whole_and_in_each_ones_order() -> None:
    with running(MANY, 4, 150) as process:
        text, errors = process.communicate(timeout=2 * DEADLINE_S)
    assert errors == b""
    seen = ids(text)
    for worker in range(4):
        assert [number % 1_000_000 for number in seen if number // 1_000_000 == worker] == list(range(150))
    assert len(seen) == 600


def test_a_worker_killed_inside_a_line_frees_the_lock_and_the_next_line_is_whole() -> None:
    with running(KILLED) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        worker = int(process.stderr.readline().split()[1])
        first = process.stdout.read(10)  # it is in the middle of its line
        os.kill(worker, signal.SIGKILL)
        text = first + process.stdout.read()
        assert process.wait(DEADLINE_S) == 0
    broken, whole = text.splitlines()
    assert broken.startswith(b'{"id": 1,')
    assert json.loads(whole)["id"] == 2


def test_a_stdout_that_nobody_reads_makes_it_wait_until_it_is_stopped() -> None:
    with running(STOPPED, 0.1) as process:
        assert process.stderr is not None
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr.readline() == b"sent 0\n"
        process.stdin.write(b"\n")
        process.stdin.close()
        said = dict(line.split(b" ", 1) for line in process.stderr.read().splitlines())
        accepted, left = int(said[b"stopped"]), said[b"left"]
        assert left == b"1", "the message that was waited for is counted as failed"
        whole = [line for line in process.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
        assert ids(b"".join(whole)) == list(range(accepted - 1))


def test_a_drain_finishes_the_line_that_was_begun() -> None:
    with running(STOPPED, DEADLINE_S) as process:
        assert process.stderr is not None
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr.readline() == b"sent 0\n"
        process.stdin.write(b"\n")
        process.stdin.close()
        while not (line := process.stderr.readline()).startswith(b"stopped"):
            pass
        text = process.stdout.read()
        assert process.stderr.readline() == b"left 0\n"
        assert process.wait(DEADLINE_S) == 0
    assert ids(text) == list(range(int(line.split()[1])))
