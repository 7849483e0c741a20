"""How Redis stands with one of its clients."""

from __future__ import annotations

from enum import StrEnum


class RedisState(StrEnum):
    """What came of a client's last try."""

    UNKNOWN = "not asked yet"
    OK = "ok"
    AWAY = "away"  # no answer, or none yet
    REFUSED = "refused"  # it answers, and does not do what it was asked
