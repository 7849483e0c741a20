"""Settings that workers of tests are born with: nothing in them leads to a server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from traptor.common.birth import OutboxSettings, WorkerSettings


def worker_settings(
    folder: Path, *, max_bytes: int = 1 << 24, synced: bool = False, **others: Any
) -> WorkerSettings:
    """Settings of a worker whose state and logs are in `folder`."""
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
        extras=True,
        log_dir=folder,
        log_level="DEBUG",
        log_format="text",
        outbox=OutboxSettings(state_dir=folder, max_bytes=max_bytes, synced=synced, confirm_timeout_s=60.0),
    )
    return replace(settings, **others)
