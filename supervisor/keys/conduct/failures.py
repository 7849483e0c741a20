"""Classify failures in the use of a key, as far as they decide how long to wait."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from traptor.common.messages import DisconnectKind
from traptor.common.timing.httpdate import http_date

LASTING_S = 10.0
"""A stream is a success once it is this old. A younger one that ends is a failure: the usual cause is a
second program on the same key, and each reconnect at once would end the other's stream in turn."""

LONGEST_ASKED_S = 86_400.0
"""A longer wait that the server asks for is taken for a mistake (milliseconds, a wrong clock) and cut."""

RATE_LIMIT_STATUSES = frozenset({420, 429})
KEY_REFUSED_STATUSES = frozenset({401, 403})
_NOT_OF_THE_REQUEST = frozenset({407, 408, 425})
"""Of 4xx those that blame a proxy, or the way to the server."""


class FailureKind(StrEnum):
    """The classes that Twitter's rules for reconnecting distinguish."""

    NETWORK = "network"
    HTTP = "http"  # the server, or something before it, answered with an error of its own
    REFUSED = "refused"  # the server finds fault with the request
    CLOSED = "closed"  # cleanly, soon after its 200
    BROKEN = "broken"  # its stream was reset or cut off, soon after its 200
    RATE_LIMITED = "rate_limited"
    SLOT_HELD = "slot_held"  # 429 of v2: the app has as many connections as it may have
    UNAUTHORIZED = "unauthorized"


@dataclass(frozen=True, slots=True)
class Failure:
    """One connect that did not become a lasting stream; `asked_s` is the wait that the server asked for.

    404, 406, 413 and 416 blame the rules and not the key: they are no Failure.
    """

    kind: FailureKind
    asked_s: float | None = None
    text: str = ""  # for people

    @classmethod
    def of_answer(cls, status: int, headers: Mapping[str, str], wall_now: float) -> Failure:
        """Return the failure for a response other than 200; the names in `headers` are in lower case.

        Using the server's own `date` makes wrong clocks on either side harmless.
        """
        if status in KEY_REFUSED_STATUSES:
            return cls(FailureKind.UNAUTHORIZED, text=f"HTTP {status}")
        server_now = http_date(headers.get("date", ""))
        reference = wall_now if server_now is None else server_now
        retry_after_s = _retry_after_s(headers.get("retry-after", ""), reference)
        if status not in RATE_LIMIT_STATUSES:
            is_refusal = 400 <= status < 500 and status not in _NOT_OF_THE_REQUEST
            kind = FailureKind.REFUSED if is_refusal else FailureKind.HTTP
            return cls(kind, _sensible(retry_after_s), f"HTTP {status}")
        # Any response may carry the reset time of its rate limit; it matters only when the limit was
        # exceeded.
        reset_s = _until_s(_number(headers.get("x-rate-limit-reset", "")), reference)
        return cls(FailureKind.RATE_LIMITED, _sensible(retry_after_s, reset_s), f"HTTP {status}")

    @classmethod
    def of_short_stream(cls, kind: DisconnectKind) -> Failure | None:
        """Return what the end of a stream younger than LASTING_S means for its key; None: nothing.

        A clean close takes the slow steps of HTTP errors: the server answered and closed deliberately. So
        does a break that comes again: the network is there, as it brought the 200.
        """
        match kind:
            case DisconnectKind.NETWORK:
                return cls(FailureKind.BROKEN, text="the stream broke soon after its 200")
            case DisconnectKind.STALL:
                return cls(FailureKind.NETWORK, text=f"the stream ended soon after its 200: {kind}")
            case DisconnectKind.SERVER_CLOSE | DisconnectKind.HTTP:
                return cls(FailureKind.CLOSED, text="the server closed the stream soon after its 200")
            case DisconnectKind.OWN_CLOSE | DisconnectKind.WORKER | DisconnectKind.OUTBOX_FULL:
                return None


def _sensible(*waits_s: float | None) -> float | None:
    """Return the longest of the requested waits."""
    return max(
        (min(wait, LONGEST_ASKED_S) for wait in waits_s if wait is not None and wait > 0), default=None
    )


def _retry_after_s(text: str, reference: float) -> float | None:
    """Read Retry-After (RFC 9110, 10.2.3): seconds, or a date."""
    seconds = _number(text)
    return _until_s(http_date(text), reference) if seconds is None else seconds


def _until_s(at: float | None, reference: float) -> float | None:
    return None if at is None else at - reference


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
