"""The posts and accounts that may no longer be kept, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from traptor.sandbox.clock import Clock
from traptor.sandbox.errors import BadInput

ID = re.compile(r"[0-9]{1,19}", re.ASCII)


class JobType(StrEnum):
    """The kinds of ids that a job takes."""

    TWEETS = "tweets"
    USERS = "users"


class Reason(StrEnum):
    """The reasons that X gives."""

    DELETED = "deleted"
    DEACTIVATED = "deactivated"
    PROTECTED = "protected"
    SUSPENDED = "suspended"
    SCRUB_GEO = "scrub_geo"


@dataclass(frozen=True, slots=True)
class Gone:
    """One id that may no longer be kept."""

    id: str
    reason: Reason
    at_unix_s: float


class GoneIds:
    """All such ids, as told by the sandbox's own API."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._gone: dict[tuple[JobType, str], Gone] = {}

    def tell(self, order: object) -> dict[str, Any]:
        """Take `{"tweets": ["12"], "users": ["34"], "reason": "deleted"}`. Raises BadInput."""
        if not isinstance(order, Mapping) or order.keys() - {*JobType, "reason"}:
            raise BadInput("an object with tweets, users, reason is expected")
        reason = order.get("reason", Reason.DELETED)
        if not isinstance(reason, str) or reason not in set(Reason):
            raise BadInput(f"reason: {reason!r} is none of {', '.join(Reason)}")
        now = self._clock().unix
        told = [(kind, one) for kind in JobType for one in _ids(kind, order.get(kind, []))]
        self._gone |= {(kind, one): Gone(one, Reason(reason), now) for kind, one in told}
        return {
            kind.value: [gone.id for (one, _), gone in self._gone.items() if one is kind] for kind in JobType
        }

    def among(self, kind: JobType, ids: Iterable[str]) -> Iterator[Gone]:
        """Yield those of the ids that may no longer be kept, in their order."""
        return (self._gone[kind, one] for one in ids if (kind, one) in self._gone)


def _ids(kind: JobType, items: object) -> list[str]:
    if not isinstance(items, list) or not all(isinstance(one, str) and ID.fullmatch(one) for one in items):
        raise BadInput(f"{kind}: a list of ids, as strings, is expected")
    return items
