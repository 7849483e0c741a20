"""What the end of a stream, or of a try to open one, means for its key, for counts, and for people. Pure."""

from __future__ import annotations

import time
from dataclasses import replace
from enum import StrEnum

from traptor.common.messages import Disconnected, DisconnectKind
from traptor.supervisor.keys.conduct.failures import (
    KEY_REFUSED_STATUSES,
    RATE_LIMIT_STATUSES,
    Failure,
    FailureKind,
)

# The rules are to blame, not the key (Twitter, "Connecting to a streaming endpoint").
RULES_REFUSED_STATUSES = frozenset({404, 406, 413, 416})


class OpeningResult(StrEnum):
    """What the opening of a stream may come to, for counts."""

    STREAM = "stream"
    UNAUTHORIZED = "unauthorized"  # 401, 403
    RATE_LIMITED = "rate_limited"  # 420, 429
    RULES_REFUSED = "rules_refused"  # 404, 406, 413, 416
    HTTP = "http"  # another status
    NETWORK = "network"  # no answer


def opening_of(message: Disconnected) -> OpeningResult:
    """Return what a stream that did not open came to."""
    match message.status:
        case None:
            return OpeningResult.NETWORK
        case status if status in KEY_REFUSED_STATUSES:
            return OpeningResult.UNAUTHORIZED
        case status if status in RATE_LIMIT_STATUSES:
            return OpeningResult.RATE_LIMITED
        case status if status in RULES_REFUSED_STATUSES:
            return OpeningResult.RULES_REFUSED
    return OpeningResult.HTTP


def failure_of(message: Disconnected) -> Failure:
    """Return what a connect that did not succeed means for its key."""
    if message.status is not None and message.kind is DisconnectKind.HTTP:
        failure = Failure.of_answer(message.status, message.headers, time.time())
        return replace(failure, text=f"{failure.text}: {message.detail}") if message.detail else failure
    return Failure(FailureKind.NETWORK, text=message.detail)


def error_of(message: Disconnected) -> str:
    """Return why a stream ended, or did not open, for people."""
    what = "the stream ended" if message.streamed else "no stream"
    is_answer = message.status is not None and not message.streamed
    status = f"HTTP {message.status}" if is_answer else message.kind
    return f"{what}: {status}" + (f": {message.detail}" if message.detail else "")
