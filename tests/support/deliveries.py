"""Generations for tests of the delivery, and the sudden end of one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from support.births import worker_settings
from traptor.common.birth import Birth
from traptor.common.rules.rule import GroupId
from traptor.worker.delivery.delivery import Delivery


def worker_birth(
    folder: Path,
    generation: int = 1,
    *,
    max_bytes: int = 1 << 24,
    synced: bool = False,
    confirm_timeout_s: float = 60.0,
) -> Birth:
    """A generation whose state is in `folder`."""
    settings = worker_settings(folder, max_bytes=max_bytes, synced=synced)
    outbox = replace(settings.outbox, confirm_timeout_s=confirm_timeout_s)
    settings = replace(settings, outbox=outbox)
    return Birth("track:0", generation, GroupId.parse("track:0"), (), settings)


def die(delivery: Delivery) -> None:
    """What a SIGKILL leaves of it: its thread gone, its outboxes unlocked and as they were last committed."""
    delivery._ended.set()
    delivery._bell.set()
    delivery._thread.join()
    for source in delivery._outflow._sources:
        source.outbox.close()
