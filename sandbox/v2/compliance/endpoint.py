"""POST and GET /2/compliance/jobs."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from traptor.sandbox.errors import BadInput
from traptor.sandbox.tweets.twitterjson import parse_json
from traptor.sandbox.v2 import problems
from traptor.sandbox.v2.compliance.gone import JobType
from traptor.sandbox.v2.compliance.jobs import DOWNLOAD_S, UPLOAD_S, Job, Jobs, Status
from traptor.sandbox.v2.endpoints.gate import Call, answer_json
from traptor.sandbox.v2.parameters.moments import iso
from traptor.sandbox.v2.parameters.paging import check_names, choices

STORAGE = "/storage/compliance"
_MEMBERS = {"type", "name", "resumable"}
_LONGEST_NAME = 64


class ComplianceEndpoint:
    """Makes and shows an app's jobs."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    async def make(self, request: web.Request, call: Call) -> web.Response:
        """Answer with a new job. Raises Problem."""
        check_names(request.query, ())
        kind, name = _wanted(await request.read())
        job = self._jobs.make(call.app.name, kind, name)
        if job is None:
            raise problems.conflict(f"There is a job of type [{kind}] that is not complete yet.")
        return answer_json({"data": self._shown(job, request)})

    async def list(self, request: web.Request, call: Call) -> web.Response:
        """Answer with the jobs of a type. Raises Problem."""
        check_names(request.query, ("type", "status", "compliance_job.fields"))
        kinds = choices(request.query, "type", list(JobType), "")
        if len(kinds) != 1:
            raise problems.invalid_request("The `type` query parameter can not be empty", {"type": kinds})
        wanted = set(choices(request.query, "status", list(Status), ",".join(Status)))
        jobs = self._jobs.of(call.app.name, JobType(kinds[0]))
        data = [self._shown(job, request) for job in jobs if self._jobs.status(job) in wanted]
        return answer_json(({"data": data} if data else {}) | {"meta": {"result_count": len(data)}})

    async def show(self, request: web.Request, call: Call) -> web.Response:
        """Answer with one job. Raises Problem."""
        check_names(request.query, ("compliance_job.fields",))
        job = self._jobs.named(call.app.name, request.match_info["id"])
        if job is None:
            raise problems.not_found("compliance_job", request.match_info["id"])
        return answer_json({"data": self._shown(job, request)})

    def _shown(self, job: Job, request: web.Request) -> dict[str, Any]:
        storage = f"{request.scheme}://{request.host}{STORAGE}/{job.key}"
        shown = {
            "id": job.id,
            "type": job.type,
            "status": self._jobs.status(job),
            "created_at": iso(job.created_at),
            "upload_url": f"{storage}/ids",
            "upload_expires_at": iso(job.created_at + UPLOAD_S),
            "download_url": f"{storage}/results",
            "download_expires_at": iso(job.created_at + DOWNLOAD_S),
            "resumable": False,
        }
        return shown | ({} if job.name is None else {"name": job.name})


def _wanted(raw: bytes) -> tuple[JobType, str | None]:
    """Read the type and the name of a new job. Raises Problem (400)."""
    try:
        body = parse_json(raw)
    except BadInput:
        body = None
    if not isinstance(body, dict) or body.keys() - _MEMBERS:
        raise problems.invalid_request("An object with `type`, `name`, `resumable` is expected")
    kind, name = body.get("type"), body.get("name")
    if not isinstance(kind, str) or kind not in set(JobType):
        raise problems.invalid_request(f"$.type: is none of {', '.join(JobType)}")
    if name is not None and not (isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME):
        raise problems.invalid_request(f"$.name: 1 to {_LONGEST_NAME} characters are expected")
    if body.get("resumable", False) is not False:
        raise problems.invalid_request("$.resumable: resumable uploads are not served here")
    return JobType(kind), name
