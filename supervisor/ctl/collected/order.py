"""What an operator wants checked, how far that came, and the commands with which it goes on."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from traptor.common.config.keys.key import ApiKey
from traptor.common.config.settings import Settings
from traptor.supervisor.xapi.compliance import JobType


class CheckOrder(NamedTuple):
    """What is to be checked, from which line on; `job`: one that was made before, for the first ids."""

    settings: Settings
    key: ApiKey
    idfile: Path | None
    from_line: int
    kind: JobType
    job: str | None
    output: Path | None


@dataclass
class CheckProgress:
    """The job of now, those before it, and where the ids that are in none of them begin.

    X takes so many ids in a job, and works on one job at a time: those of a large file follow each other.
    """

    job: str | None
    rest: int | None  # a line; None: all ids are in a job
    has_ids: bool = False  # the job of now
    done: list[str] = field(default_factory=list)

    def make(self, job: str) -> None:
        """Record that a job was made."""
        self.job, self.has_ids = job, False

    def upload(self, rest: int | None) -> None:
        """Record that the job of now has the ids up to this line."""
        self.rest, self.has_ids = rest, True

    def finish(self) -> None:
        """Record that the results of the job of now were read."""
        if self.job is not None:
            self.done.append(self.job)
        self.job = None


def go_on(order: CheckOrder, progress: CheckProgress) -> str:
    """Return the commands that go on, each after the other; empty: there is nothing to go on with."""
    # A file of results appears whole: of those that were read there is none then.
    lost = progress.done if order.output is not None else []
    commands = [_command(order, job=job) for job in lost]
    if progress.job is not None and progress.has_ids:
        commands.append(_command(order, job=progress.job))
    if progress.rest is not None and (progress.job is not None or progress.done):
        job = None if progress.has_ids else progress.job
        commands.append(_command(order, from_line=progress.rest, job=job))
    return ", then ".join(commands)


def rest_of(order: CheckOrder, line: int) -> str:
    """Return the command for the ids from this line on."""
    return _command(order, from_line=line)


def _command(order: CheckOrder, from_line: int | None = None, job: str | None = None) -> str:
    words = ["compliance", "check"]
    if from_line is not None:
        words += [shlex.quote(str(order.idfile)), "--type", order.kind, "--from-line", str(from_line)]
    words += [] if job is None else ["--job", job]
    return " ".join([*words, "--key", order.key.name])
