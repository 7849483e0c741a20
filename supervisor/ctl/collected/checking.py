"""Carry a compliance job through: made, its ids uploaded, waited for, and its results read."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable

import orjson

from traptor.common.errors import TraptorError
from traptor.common.text import counted
from traptor.common.timing.backoff import doubled
from traptor.supervisor.ctl.collected.idlist import MOST_SHOWN, IdList
from traptor.supervisor.status.terms import age
from traptor.supervisor.xapi.compliance import ComplianceClient, Job, JobStatus, JobType
from traptor.supervisor.xapi.failures import RateLimited, RequestRefused, ServerTrouble
from traptor.supervisor.xapi.transfer import Transfer

_FIRST_LOOK_S = 1.0
_LOOK_S = 30.0  # X asks for 30 to 60 s
_UPLOADS = 3
_MOST_VAIN_LOOKS = 20
_SAY_S = 60.0
_NOTED_WITHIN_S = 300.0  # how long after an upload X may still call the job `created`


class Checking:
    """Asks as one app. `say` takes sentences for the operator."""

    def __init__(
        self,
        client: ComplianceClient,
        transfer: Transfer,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._transfer = transfer
        self._say = say
        self._clock = clock
        self._noted_by: float | None = None  # when X knows of our upload at the latest
        self.events: Counter[str] = Counter()  # what must be done, by action
        self.unknown = 0  # ids that X calls invalid
        self.unreadable = 0  # lines of results that cannot be read

    async def make(self, kind: JobType, name: str) -> Job:
        """Make a job. Raises XFailure, and TraptorError that names the job in its way."""
        try:
            return await self._client.make(kind, name)
        except RequestRefused as failure:
            other = next((job for job in await self._client.jobs(kind) if job.is_at_work), None)
            if other is None:
                raise
            raise TraptorError(f"{failure}; {_in_the_way(other)}") from None

    async def upload(self, job: Job, ids: IdList) -> None:
        """Upload the ids; a transfer that breaks off is repeated. Raises XFailure, and TraptorError."""
        if job.status != JobStatus.CREATED:
            raise TraptorError(f"job {job.id} is {job.status} and takes no ids any more: leave the file out")
        for number in range(_UPLOADS):
            try:
                await self._transfer.send("upload ids", job.upload_url, ids.file)
            except ServerTrouble as failure:
                if number + 1 == _UPLOADS:
                    raise
                self._say(f"{failure}; tried again")
                await asyncio.sleep(doubled(_FIRST_LOOK_S, number, _LOOK_S))
            else:
                self._noted_by = self._clock() + _NOTED_WITHIN_S
                return

    async def show(self, job_id: str) -> Job:
        """Return a job as it is now. Raises XFailure."""
        return await self._client.job(job_id)

    async def wait(self, job_id: str) -> Job:
        """Return the job once it is complete. Raises XFailure, and TraptorError where it never will be."""
        began = self._clock()
        said_at, said = began, ""
        vain = looks = 0
        while True:
            try:
                job = await self._client.job(job_id)
            except (RateLimited, ServerTrouble) as failure:
                vain += 1
                if vain > _MOST_VAIN_LOOKS:
                    raise
                self._say(f"{failure}; asked again")
            else:
                vain = 0
                if job.status == JobStatus.COMPLETE:
                    return job
                now = self._clock()
                if self._noted_by is None or now >= self._noted_by or job.status != JobStatus.CREATED:
                    _need_progress(job)
                if job.status != said or now - said_at >= _SAY_S:
                    said, said_at = job.status, now
                    self._say(f"job {job.id}: {job.status}, waited {age(now - began)}")
            await asyncio.sleep(doubled(_FIRST_LOOK_S, looks, _LOOK_S))
            looks += 1

    async def results(self, job: Job) -> AsyncIterator[bytes]:
        """Yield and count a JSON line for each id about which something must be done.

        Raises XFailure, and TraptorError where no line can be read.
        """
        number = read = unread = 0
        async for line in self._transfer.lines("download results", job.download_url):
            number += 1
            if not line.strip():
                continue
            found = _event(line)
            if found is None:
                unread += 1
                if unread <= MOST_SHOWN:
                    self._say(
                        f"job {job.id}: line {number} of its results is not of the form that X documents,"
                        " and is left out"
                    )
                continue
            read += 1
            if "error" in found:
                self.unknown += 1
                self._say(f"{found['id']!s:.40}: X takes it for no id")
                continue
            self.events[str(found.get("action", "delete"))] += 1
            yield orjson.dumps(found) + b"\n"
        self.unreadable += unread
        if (more := unread - MOST_SHOWN) > 0:
            self._say(f"job {job.id}: {counted(more, 'more line')} of its results cannot be read")
        if unread and not read:
            raise TraptorError(
                "download results: they are not of the form that X documents; see what stands between"
            )

    def summary(self, uploaded: int | None) -> str:
        """Return what was found, in a sentence; `uploaded` ids were checked, None: not known."""
        found, of = self.events.total(), "" if uploaded is None else f" of {uploaded:,}"
        if not found:
            return f"0{of} ids: nothing is to be done"
        actions = ", ".join(f"{action} {count:,}" for action, count in sorted(self.events.items()))
        return f"{found:,}{of} {'id' if found == 1 else 'ids'}: {actions}"


def _in_the_way(job: Job) -> str:
    if job.status == JobStatus.CREATED:
        until = f" (until {job.upload_expires_at})" if job.upload_expires_at else ""
        return (
            f"the app's job {job.id} still waits for ids{until}: give it yours with"
            f" `compliance check IDFILE --job {job.id}`"
        )
    return f"the app's job {job.id} is not complete: wait for it with `compliance check --job {job.id}`"


def _need_progress(job: Job) -> None:
    if job.status in (JobStatus.FAILED, JobStatus.EXPIRED):
        raise TraptorError(f"job {job.id}: X calls it {job.status}; check the ids again, in a new job")
    if job.status == JobStatus.CREATED:
        raise TraptorError(f"job {job.id} waits for ids: `compliance check IDFILE --job {job.id}`")


def _event(line: bytes) -> dict[str, object] | None:
    """Return what a line tells about an id; None where it cannot be read."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) and "id" in found else None
