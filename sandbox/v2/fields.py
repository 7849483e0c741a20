"""Which fields and expansions a stream request asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from traptor.sandbox.errors import SandboxError

PARAMETERS = frozenset(
    {"tweet.fields", "user.fields", "place.fields", "media.fields", "poll.fields", "expansions"}
)


class InvalidRequest(SandboxError):
    """A request parameter that X does not know; answered with 400 and `problem()`."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        self.errors = errors
        super().__init__(errors[0]["message"])

    def problem(self) -> dict[str, Any]:
        """Return the body of the answer."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of each kind of object, defaults included, and the expansions; hashable."""

    post: frozenset[str]
    user: frozenset[str]
    place: frozenset[str]
    media: frozenset[str]
    expansions: frozenset[str]


def parse_fields(pairs: Iterable[tuple[str, str]]) -> Fields:
    """Read the PARAMETERS among the query's pairs and ignore the others. Raises InvalidRequest."""
    raise NotImplementedError
