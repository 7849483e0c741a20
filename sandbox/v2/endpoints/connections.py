"""GET and DELETE /2/connections, DELETE /2/connections/filtered_stream and /all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from traptor.sandbox.clock import Clock
from traptor.sandbox.errors import BadInput
from traptor.sandbox.tweets.twitterjson import parse_json
from traptor.sandbox.v2 import problems
from traptor.sandbox.v2.endpoints.gate import Call, answer_json
from traptor.sandbox.v2.parameters.moments import iso_seconds
from traptor.sandbox.v2.parameters.paging import check_names, choices, page, whole_number
from traptor.sandbox.v2.streams.slots import Slots
from traptor.sandbox.v2.streams.stream import StreamRecord

FILTERED_STREAM = "filtered_stream"
_ENDPOINTS = (FILTERED_STREAM, "sample_stream", "sample10_stream", "firehose_stream")
_STATUSES = ("active", "inactive", "all")
_FIELDS = ("client_ip", "connected_at", "disconnect_reason", "disconnected_at", "endpoint_name", "id")
_PARAMETERS = ("connection.fields", "endpoints", "max_results", "pagination_token", "status")
_MOST = 100
_PAGE = 10


class ConnectionsEndpoint:
    """Lists and ends an app's connections."""

    def __init__(self, slots: Slots, clock: Clock) -> None:
        self._slots = slots
        self._clock = clock

    async def list(self, request: web.Request, call: Call) -> web.Response:
        """Answer with a page of connections: by default only the ids of the active ones."""
        query = request.query
        check_names(query, _PARAMETERS)
        size = whole_number(query, "max_results", 1, _MOST, _PAGE)
        status = choices(query, "status", _STATUSES, "active")[:1] or ["active"]
        fields = {"id", *choices(query, "connection.fields", _FIELDS, "id")}
        endpoints = choices(query, "endpoints", _ENDPOINTS, FILTERED_STREAM)
        chosen = self._chosen(call.app.name, status[0]) if FILTERED_STREAM in endpoints else []
        shown, next_token = page(chosen, query, size)
        data = [_shown(record, fields, self._clock().unix) for record in shown]
        meta: dict[str, Any] = {"result_count": len(data)}
        if next_token is not None:
            meta["next_token"] = next_token
        return answer_json(({"data": data} if data else {}) | {"meta": meta})

    async def kill(self, request: web.Request, call: Call) -> web.Response:
        """End the connections with the given uuids."""
        call.record.uuids = tuple(uuids := _uuids(await request.read()))
        return self._killed(call, uuids)

    async def kill_all(self, _request: web.Request, call: Call) -> web.Response:
        """End all connections of the app."""
        return self._killed(call, [one.uuid for one in self._slots.active(call.app.name)])

    def _chosen(self, app: str, status: str) -> Sequence[StreamRecord]:
        if status == "active":
            return self._slots.active(app)
        now = self._clock().unix
        return [one for one in self._slots.of(app) if status == "all" or not one.is_active(now)]

    def _killed(self, call: Call, uuids: Sequence[str]) -> web.Response:
        results = [{"uuid": uuid, "success": self._slots.kill(call.app.name, uuid)} for uuid in uuids]
        successes = sum(result["success"] is True for result in results)
        counts = {"successful_kills": successes, "failed_kills": len(results) - successes}
        return answer_json({"data": {**counts, "results": results}})


def _shown(record: StreamRecord, fields: set[str], now_unix_s: float) -> dict[str, str]:
    whole = {
        "id": record.uuid,
        "endpoint_name": FILTERED_STREAM,
        "connected_at": iso_seconds(record.opened.unix),
        "client_ip": record.peer_ip,
    }
    if record.freed_at is not None and not record.is_active(now_unix_s):
        whole["disconnected_at"] = iso_seconds(record.freed_at)
        whole["disconnect_reason"] = record.reason or "ClientDisconnected"
    return {name: text for name, text in whole.items() if name in fields}


def _uuids(raw: bytes) -> list[str]:
    try:
        body = parse_json(raw)
    except BadInput:
        body = None
    uuids = body.get("uuids") if isinstance(body, dict) else None
    if not isinstance(uuids, list) or not all(isinstance(uuid, str) for uuid in uuids):
        raise problems.invalid_request("$.uuids: a list of strings is expected")
    if not 1 <= len(uuids) <= _MOST:
        raise problems.invalid_request(f"size of `uuids` is not between 1 and {_MOST}")
    return uuids
