"""Find the supervisor that runs on a run_dir, and read its status."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from traptor.common.errors import ConfigError
from traptor.common.text import counted
from traptor.supervisor.checks.keys import idle_key
from traptor.supervisor.checks.moments import moment
from traptor.supervisor.control.client import NoAnswer, SeenConnection, SeenStatus, ask_status
from traptor.supervisor.state.locks import lock_holder

_NOT_MISSED = ("QUIET", "STOPPED")  # states in which a connection is not expected to stream


@dataclass(frozen=True, slots=True)
class Running:
    """A supervisor; `status` is None when it does not answer, and `silence` tells why."""

    pid: int
    status: SeenStatus | None = field(default=None, repr=False)
    silence: str = ""

    def summary(self) -> str:
        """Return a sentence that summarises its state."""
        if self.status is None:
            return f"A supervisor runs here (pid {self.pid})."
        streaming = sum(c.streams for c in self.status.connections)
        counts = f"{streaming} of {counted(len(self.status.connections), 'connection')}"
        return f"A supervisor runs here (pid {self.pid}); streaming: {counts}."

    def doubts(self) -> Iterator[str]:
        """Yield a sentence for each thing that is not as it should be."""
        if self.status is None:
            yield f"the supervisor (pid {self.pid}) does not answer: {self.silence}"
            return
        for use in self.status.redis_uses:
            if use.error is not None:
                yield f"the supervisor cannot use Redis for its {use.used_for} ({use.state}): {use.error}"
        for job in self.status.jobs:
            if job.error is not None:
                yield f"the job {job.job!r} of the supervisor fails: {job.error}; see supervisor.log"
        yield from _missing_streams(self.status.connections)
        for group in self.status.groups:
            if group.heartbeat_shared:
                yield shared_heartbeat(group.group)
        for key in self.status.keys:
            yield from idle_key(key.key, key.state, key.budget_left, key.not_before)


async def find_running(run_dir: Path) -> Running | None:
    """Return the supervisor that holds this run_dir, or None."""
    pid = lock_holder(run_dir / "master.lock")
    if pid is None:
        return None
    try:
        return Running(pid, await ask_status(run_dir))
    except (NoAnswer, ConfigError) as error:
        return Running(pid, silence=str(error))


def waits(c: SeenConnection) -> str:
    """Return why and until when a connection waits, or at least its state."""
    until = f" until {moment(c.waits_until)}" if c.waits_until else ""
    return f"{c.waits_for or c.shown_state}{until}"


def shared_heartbeat(group: str) -> str:
    """Return the sentence for a heartbeat that somebody else writes."""
    return (
        f"somebody else writes {group}:heartbeat: another supervisor, or the original, serves this group too;"
        " stop one of them, or part the groups by [traptor] groups"
    )


def _missing_streams(connections: list[SeenConnection]) -> Iterator[str]:
    missing = [c for c in connections if c.state not in _NOT_MISSED and not c.streams]
    if missing and not any(c.streams for c in connections):
        yield "nothing streams"
    for c in missing:
        yield f"{c.connection} does not stream: {waits(c)}"
