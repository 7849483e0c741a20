"""Workers under API v2 with a sandbox, each in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support.births import worker_settings
from support.liveworker import QUERY, LiveWorker, StartWorker, StartX
from support.logworkers import logging_put_back
from support.programs import ForkedSandbox, Programs
from support.xsandbox import APP_CONNECT, TOKEN, XSandbox

from traptor.common.birth import Birth
from traptor.common.filters import Meaning
from traptor.common.rules.rule import Rule


@pytest.fixture
def start_x(programs: Programs) -> Iterator[StartX]:
    """Starts quiet sandboxes; filters act at once and any rate is allowed, unless options say otherwise."""
    started: list[ForkedSandbox] = []

    def start(*options: str) -> XSandbox:
        usual = ("--rate", "0", "--bearer", f"app={TOKEN}", "--v2-effect", "0", "--v2-rate", "0")
        process = ForkedSandbox(programs, *usual, "--v2-connects", "0", *options)
        started.append(process)
        process.start()
        return XSandbox(started[-1].url, started[-1].client)

    yield start
    for process in started:
        process.stop()


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[StartWorker]:
    """Starts workers of the connection `v2:app`, whose output and logs are in `tmp_path`."""
    started: list[LiveWorker] = []

    def start(
        x: XSandbox, rules: Sequence[Rule], meanings: Sequence[Meaning], payload: str = "native"
    ) -> LiveWorker:
        settings = replace(
            worker_settings(tmp_path),
            api="v2",
            output=f"jsonl:{tmp_path}",
            stream_url=x.url,
            stream_query=QUERY,
            payload=payload,
            connect_timeout_s=20.0,
            stall_timeout_s=30.0,
        )
        birth = Birth("v2:app", 1, None, tuple(rules), settings, filters=tuple(meanings))
        started.append(LiveWorker(birth, APP_CONNECT))
        return started[-1]

    with logging_put_back():
        yield start
        for worker in started:
            assert worker.end() == 0
