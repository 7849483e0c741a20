"""Every request that was made to the v2 endpoints, with its answer."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from traptor.sandbox.clock import Instant

KEEP_REQUESTS = 100_000


@dataclass(slots=True)
class RequestRecord:
    """One request; `status` is None until it is answered."""

    n: int
    at: float
    at_mono: float
    peer_ip: str
    peer_port: int
    method: str
    path: str  # with the query
    endpoint: str
    app: str | None = None
    status: int | None = None
    problem: str = ""
    connection: int | None = None
    uuids: tuple[str, ...] = ()  # of the connections that it asks to end

    def as_json(self) -> dict[str, Any]:
        """Return the record as the sandbox's own API shows it."""
        return asdict(self)


class RequestLog:
    """The most recent requests, in order."""

    def __init__(self) -> None:
        self.records: deque[RequestRecord] = deque(maxlen=KEEP_REQUESTS)
        self.count = 0

    def start(
        self, now: Instant, peer: tuple[str, int], method: str, path: str, endpoint: str
    ) -> RequestRecord:
        """Record a request as it comes in."""
        self.count += 1
        record = RequestRecord(self.count, now.unix, now.mono, *peer, method, path, endpoint)
        self.records.append(record)
        return record
