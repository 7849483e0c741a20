"""Generations for tests of the delivery, and the sudden end of one."""

from __future__ import annotations

from pathlib import Path

from traptor.common.birth import Birth, OutboxSettings, WorkerSettings
from traptor.common.rules import GroupId
from traptor.worker.delivery import Delivery


def worker_birth(
    folder: Path, generation: int = 1, *, max_bytes: int = 1 << 24, synced: bool = False
) -> Birth:
    """A generation whose state is in `folder`."""
    settings = WorkerSettings(
        api="v1.1",
        output="jsonl:-",
        other_messages="topic",
        stream_url="http://127.0.0.1:1",
        connect_timeout_s=1.0,
        stall_timeout_s=1.0,
        redis_url="redis://127.0.0.1:1/0",
        redis_timeout_s=1.0,
        stats=False,
        log_dir=folder,
        log_level="DEBUG",
        log_format="text",
        outbox=OutboxSettings(state_dir=folder, max_bytes=max_bytes, synced=synced),
    )
    return Birth("track:0", generation, GroupId.parse("track:0"), (), settings)


def die(delivery: Delivery) -> None:
    """What a SIGKILL leaves of it: its thread gone, its outboxes unlocked and as they were last committed."""
    delivery._ended.set()
    delivery._bell.set()
    delivery._thread.join()
    for source in delivery._outflow.sources:
        source.outbox.close()
