"""Which workers are ill by what the kernel says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.waiting import wait_for

from traptor.common.birth import Birth, OutboxSettings, WorkerSettings
from traptor.common.rules.rule import GroupId, RuleType
from traptor.supervisor.workers.generation import Ending, Generation, Vitals
from traptor.supervisor.workers.health import HealthSampler, illness
from traptor.supervisor.workers.spec import Spec

MB = 1 << 20
WELL = Vitals(anonymous_bytes=20 * MB, cpu_percent=1.0, descriptors=9, status="sleeping")
LARGE = Vitals(anonymous_bytes=300 * MB, cpu_percent=1.0, descriptors=9, status="running")
HALTED = Vitals(anonymous_bytes=20 * MB, cpu_percent=0.0, descriptors=9, status="stopped")
DEBUGGED = Vitals(anonymous_bytes=20 * MB, cpu_percent=0.0, descriptors=9, status="tracing-stop")


@pytest.mark.parametrize(
    ("now", "before", "max_memory", "ill"),
    [
        (WELL, None, 0, None),
        (WELL, WELL, 100 * MB, None),
        (LARGE, WELL, 0, None),
        (LARGE, WELL, 100 * MB, Ending.MEMORY),
        (HALTED, WELL, 0, None),
        (HALTED, None, 0, None),
        (HALTED, HALTED, 0, Ending.STOPPED),
        (DEBUGGED, DEBUGGED, 0, None),
    ],
)
def test_illness(now: Vitals, before: Vitals | None, max_memory: int, ill: Ending | None) -> None:
    assert illness(now, before, max_memory) is ill


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def _generation(pid: int) -> Generation:
    settings = WorkerSettings(
        api="v1.1", output="jsonl:-", other_messages="topic", stream_url="", connect_timeout_s=1,
        stall_timeout_s=1, redis_url="", redis_timeout_s=1, stats=False, extras=True, log_dir=None,
        log_level="INFO", log_format="text",
        outbox=OutboxSettings(Path("unused"), max_bytes=1, synced=False, confirm_timeout_s=60.0),
    )  # fmt: skip
    birth = Birth("track:0", 1, GroupId(RuleType.TRACK, "0"), (), settings)
    return Generation(birth, Spec("", "", 0), born_at=0.0, pid=pid)


def test_a_stopped_process_is_found_in_the_second_look(process: subprocess.Popen[bytes]) -> None:
    health, generation = HealthSampler(), _generation(process.pid)
    assert not health.look([generation], 0)
    assert generation.vitals is not None
    assert generation.vitals.anonymous_bytes > 0
    assert generation.vitals.descriptors >= 3
    os.kill(process.pid, signal.SIGSTOP)
    wait_for(lambda: health.look([generation], 0), "the process is found ill")
    assert generation.illness is Ending.STOPPED
    assert not health.look([generation], 0), "an illness is news once"


def test_a_process_that_grew_is_found(process: subprocess.Popen[bytes]) -> None:
    health, generation = HealthSampler(), _generation(process.pid)
    assert health.look([generation], 1)
    assert generation.illness is Ending.MEMORY


def test_a_process_that_is_gone_is_no_error(process: subprocess.Popen[bytes]) -> None:
    health, generation = HealthSampler(), _generation(process.pid)
    health.look([generation], 0)
    process.kill()
    process.wait()
    assert not health.look([generation], 1)
