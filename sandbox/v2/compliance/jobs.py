"""The jobs of all apps, and the steps that each goes through."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count

from traptor.sandbox.clock import Clock
from traptor.sandbox.v2.compliance.gone import ID, Gone, GoneIds, JobType

_FIRST_ID = 1_400_000_000_000_000_001
UPLOAD_S = 900.0
DOWNLOAD_S = 7 * 86_400.0


class Status(StrEnum):
    """The steps of a job."""

    CREATED = "created"  # waits for its ids
    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    FAILED = "failed"
    EXPIRED = "expired"  # no ids came in time


@dataclass(slots=True, eq=False)
class Job:
    """One job; `key` is the secret part of its addresses."""

    id: str
    app: str
    type: JobType
    name: str | None
    created_at: float
    key: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    ids: list[str] | None = None
    uploaded_at: float = 0.0
    result: Sequence[Gone] = ()
    is_failed: bool = False


class Jobs:
    """Makes jobs and carries them out; the result stands `work_s` after the upload."""

    def __init__(self, gone: GoneIds, work_s: float, clock: Clock) -> None:
        self._gone = gone
        self._work_s = work_s
        self._clock = clock
        self._jobs: list[Job] = []
        self._numbers = count(_FIRST_ID)

    def make(self, app: str, kind: JobType, name: str | None) -> Job | None:
        """Make a job; None while the app has another one of the type."""
        if any(self._is_at_work(job) for job in self.of(app, kind)):
            return None
        job = Job(str(next(self._numbers)), app, kind, name, self._clock().unix)
        self._jobs.append(job)
        return job

    def of(self, app: str, kind: JobType) -> list[Job]:
        """Return the jobs of an app, the oldest first."""
        return [job for job in self._jobs if (job.app, job.type) == (app, kind)]

    def named(self, app: str, job_id: str) -> Job | None:
        """Return the app's job with this id."""
        return next((job for job in self._jobs if (job.app, job.id) == (app, job_id)), None)

    def with_key(self, key: str) -> Job | None:
        """Return the job with this key in its addresses."""
        return next((job for job in self._jobs if secrets.compare_digest(job.key, key)), None)

    def status(self, job: Job) -> Status:
        """Return the step that a job is in now."""
        now = self._clock().unix
        if job.is_failed:
            return Status.FAILED
        if job.ids is None:
            return Status.CREATED if now < job.created_at + UPLOAD_S else Status.EXPIRED
        return Status.IN_PROGRESS if now < job.uploaded_at + self._work_s else Status.COMPLETE

    def upload(self, job: Job, text: str) -> bool:
        """Take the ids, one a line; return False if the job takes none any more. Odd lines make it fail."""
        if self.status(job) is not Status.CREATED:
            return False
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        job.is_failed = not lines or not all(ID.fullmatch(line) for line in lines)
        job.ids, job.uploaded_at = lines, self._clock().unix
        job.result = [] if job.is_failed else list(self._gone.among(job.type, lines))
        return True

    def _is_at_work(self, job: Job) -> bool:
        return self.status(job) in (Status.CREATED, Status.IN_PROGRESS)
