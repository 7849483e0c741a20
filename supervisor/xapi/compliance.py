"""Ask X about batch compliance jobs of one app, which tell what of a list of ids may no longer be kept.

Facts: xdevplatform/docs, x-api/compliance/batch-compliance.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from traptor.supervisor.xapi.answers import Id
from traptor.supervisor.xapi.exchange import Ask, Exchange, decoded

_JOBS = "/2/compliance/jobs"


class JobType(StrEnum):
    """The kinds of ids that a job takes."""

    TWEETS = "tweets"
    USERS = "users"


class JobStatus(StrEnum):
    """The steps of a job."""

    CREATED = "created"  # waits for its ids
    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    FAILED = "failed"
    EXPIRED = "expired"


class Job(msgspec.Struct, frozen=True):
    """A job as X shows it; whoever has its addresses can use them, so its repr leaves them out."""

    id: Id
    type: str
    status: str
    created_at: str = ""
    name: str = ""
    upload_url: str = ""
    upload_expires_at: str = ""
    download_url: str = ""
    download_expires_at: str = ""

    def __repr__(self) -> str:
        return f"Job(id={self.id!r}, type={self.type!r}, status={self.status!r})"

    @property
    def is_at_work(self) -> bool:
        """True while the app can have no other job of the type."""
        return self.status in (JobStatus.CREATED, JobStatus.IN_PROGRESS)


class _JobAnswer(msgspec.Struct, frozen=True):
    data: Job


class _JobList(msgspec.Struct, frozen=True):
    data: tuple[Job, ...] = ()


class ComplianceClient:
    """Asks with one app's bearer token. Every method raises an XFailure like those of XClient."""

    def __init__(self, exchange: Exchange, bearer_token: str) -> None:
        self._exchange = exchange
        self._authorization = f"Bearer {bearer_token}"

    async def make(self, kind: JobType, name: str) -> Job:
        """Make a job, which waits for its ids for 15 minutes."""
        body = {"type": kind.value, "name": name}
        ask = Ask("make compliance job", "POST", _JOBS, body=body)
        return decoded(ask, await self._exchange.ask(ask, self._authorization), _JobAnswer).data

    async def job(self, job_id: str) -> Job:
        """Return a job as it is now."""
        ask = Ask("show compliance job", "GET", f"{_JOBS}/{job_id}")
        return decoded(ask, await self._exchange.ask(ask, self._authorization), _JobAnswer).data

    async def jobs(self, kind: JobType) -> tuple[Job, ...]:
        """Return the app's jobs of a type."""
        ask = Ask("list compliance jobs", "GET", _JOBS, (("type", kind.value),))
        return decoded(ask, await self._exchange.ask(ask, self._authorization), _JobList).data
