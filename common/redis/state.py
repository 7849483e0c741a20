"""The state of Redis as one of its clients sees it."""

from __future__ import annotations

from enum import StrEnum


class RedisState(StrEnum):
    """The outcome of a client's last attempt."""

    UNKNOWN = "not asked yet"
    OK = "ok"
    AWAY = "away"  # no answer, or none yet
    REFUSED = "refused"  # it answers, but refuses the request
