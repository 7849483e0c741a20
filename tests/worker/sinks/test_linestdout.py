"""Lines on a stdout that workers share: whole, also when one of them is killed in the middle of a line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from support.paths import ROOT
from support.waiting import DEADLINE_S

TESTS = ROOT / "tests"

# What every script below begins with.
COMMON = """
import os, sys, time
from support.outgoing import Heard, tweet
from traptor.worker.sinks.outputs import line_sink

heard = Heard()

def opened(connection="track:0"):
    sink = line_sink("jsonl:-", "topic", connection)
    sink.open(heard)
    return sink

def write(sink, message, number=0):
    while not sink.send(message, heard.ticket(number)):
        time.sleep(0.001)

def finish(sink, count, within_s=30):
    deadline = time.monotonic() + within_s
    while len(heard.delivered_numbers) < count and time.monotonic() < deadline:
        sink.serve()
        time.sleep(0.001)

def say(*words):
    print(*words, file=sys.stderr, flush=True)
"""

# Forks workers that write numbered lines to stdout, each its name and a long filler.
MANY = """
workers, lines = int(sys.argv[1]), int(sys.argv[2])
for worker in range(workers):
    if os.fork() == 0:
        sink = opened(f"track:{worker}")
        for number in range(lines):
            write(sink, tweet(worker * 1_000_000 + number, filler=9000 - number % 2000))
        finish(sink, lines)
        sink.close()
        os._exit(0)
for _ in range(workers):
    os.wait()
"""

# One worker begins a line that is longer than the pipe, and is killed or ends; another writes after it.
BROKEN_OFF = """
first = os.fork()
if first == 0:
    sink = opened()
    write(sink, tweet(1, filler=1_000_000))
    say("writing", os.getpid(), len(heard.delivered_numbers))
    sys.stdin.read(1)
    sink.close()
    os._exit(0)
os.waitpid(first, 0)
if os.fork() == 0:
    sink = opened()
    write(sink, tweet(2))
    finish(sink, 1)
    os._exit(0)
os.wait()
"""

# Writes until there is no room, and goes on when it is told to.
UNREAD = """
sink = opened()
number = 0
while sink.send(tweet(number, filler=1000), heard.ticket(number)):
    number += 1
say("no room", number, len(heard.delivered_numbers))
sys.stdin.read(1)
finish(sink, number)
say("delivered", len(heard.delivered_numbers))
sink.close()
"""


@contextmanager
def running(script: str, *args: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", COMMON + script, *map(str, args)],
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
    with running(BROKEN_OFF) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        os.kill(int(process.stderr.readline().split()[1]), signal.SIGKILL)
        text = process.stdout.read()
        assert process.wait(DEADLINE_S) == 0
    check_broken_off(text)


def test_a_worker_that_ends_inside_a_line_does_not_count_it_and_the_next_line_is_whole() -> None:
    with running(BROKEN_OFF) as process:
        assert process.stderr is not None
        said = process.stderr.readline().split()
        assert (said[0], said[2]) == (b"writing", b"0")
        text, errors = process.communicate(b"\n", timeout=2 * DEADLINE_S)
    assert errors == b""
    check_broken_off(text)


def check_broken_off(text: bytes) -> None:
    broken, whole = text.splitlines()
    assert broken.startswith(b'{"id": 1,')
    assert not broken.endswith(b"}")
    assert json.loads(whole)["id"] == 2


def test_a_stdout_that_nobody_reads_has_no_room_and_loses_nothing() -> None:
    with running(UNREAD) as process:
        assert process.stderr is not None
        *_, taken, delivered = process.stderr.readline().split()
        assert int(delivered) == int(taken) - 1, "the last one is written in part"
        text, errors = process.communicate(b"\n", timeout=2 * DEADLINE_S)
    assert errors == b"delivered " + taken + b"\n"
    assert ids(text) == list(range(int(taken)))
