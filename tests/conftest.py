"""Rules for the whole suite."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support.configuration import Configuration
from support.order import dealt
from support.smalldisk import MakeDisk, mount

# No test depends on how fast this machine is.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI everything a test needs is there: a skipped test is a failed run."""
    if _skipped and os.environ.get("TRAPTOR_NOTHING_SKIPPED"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print(f"\nskipped, though nothing may be skipped here: {', '.join(_skipped)}")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with those that say that they may take long, the longest first."""
    processes = getattr(config, "workerinput", {}).get("workercount", 1)
    longest = sorted(filter(_may_take_s, items), key=_may_take_s, reverse=True)
    items[:] = dealt(longest, [item for item in items if not _may_take_s(item)], processes)


def _may_take_s(item: pytest.Item) -> float:
    timeout = item.get_closest_marker("timeout")
    return float(timeout.args[0]) if timeout else 0.0


@pytest.fixture
def config(tmp_path: Path) -> Configuration:
    return Configuration(tmp_path)


@pytest.fixture
def make_disk() -> Iterator[MakeDisk]:
    """Mounts a disk of so many bytes on a folder, to be filled by the test."""
    with ExitStack() as until:
        yield lambda folder, size_bytes: mount(folder, size_bytes, until)
