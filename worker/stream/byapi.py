"""The stream of each API."""

from __future__ import annotations

from traptor.common.birth import API_V2
from traptor.worker.stream.http import HttpStream
from traptor.worker.stream.v1 import V1Stream
from traptor.worker.stream.v2 import V2Stream

STREAMS: dict[str, type[HttpStream]] = {"v1.1": V1Stream, API_V2: V2Stream}
