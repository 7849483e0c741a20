"""The storage that jobs name: takes the ids and gives the results, without a token."""

from __future__ import annotations

import orjson
from aiohttp import web

from traptor.sandbox.v2.compliance.gone import Gone, Reason
from traptor.sandbox.v2.compliance.jobs import Job, Jobs, Status
from traptor.sandbox.v2.parameters.moments import iso

MOST_BYTES = 128 << 20  # of the ids of a job
_TEXT = "text/plain"


class Storage:
    """Answers PUT of a list of ids and GET of the results."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    async def take(self, request: web.Request) -> web.Response:
        """Take the ids of a job."""
        job = self._job(request)
        if request.content_type != _TEXT:
            raise web.HTTPBadRequest(reason=f"Content-Type: {_TEXT} is expected")
        if not self._jobs.upload(job, (await _ids(request)).decode("utf-8", "replace")):
            raise web.HTTPForbidden(reason="The job takes no ids any more")
        return web.Response()

    async def give(self, request: web.Request) -> web.Response:
        """Answer with the results of a complete job, one a line."""
        job = self._job(request)
        if self._jobs.status(job) is not Status.COMPLETE:
            raise web.HTTPNotFound(reason="The job is not complete")
        lines = b"".join(orjson.dumps(_result(one)) + b"\n" for one in job.result)
        return web.Response(body=lines, content_type=_TEXT)

    def _job(self, request: web.Request) -> Job:
        job = self._jobs.with_key(request.match_info["key"])
        if job is None:
            raise web.HTTPNotFound(reason="There is no such file")
        return job


async def _ids(request: web.Request) -> bytes:
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > MOST_BYTES:
            raise web.HTTPRequestEntityTooLarge(MOST_BYTES, len(body))
    return bytes(body)


def _result(gone: Gone) -> dict[str, str]:
    return {
        "id": gone.id,
        "action": "scrub_geo" if gone.reason is Reason.SCRUB_GEO else "delete",
        "created_at": iso(gone.at_unix_s),
        "redacted_at": iso(gone.at_unix_s),
        "reason": gone.reason,
    }
