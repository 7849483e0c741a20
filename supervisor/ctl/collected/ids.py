"""Ids out of a file of ids, or of posts, tweets or users as JSON lines, read line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from traptor.common.errors import TraptorError
from traptor.supervisor.xapi.compliance import JobType

_ID = re.compile(r"[0-9]{1,19}", re.ASCII)
# Members of the v1.1 stream's other messages, of which a file of tweets may hold some.
_OTHERS = frozenset(
    ("delete", "scrub_geo", "limit", "status_withheld", "user_withheld", "disconnect", "warning", "friends")
)


class FoundId(NamedTuple):
    """One id, or why a line has none; both empty: a message that is about no post of the file."""

    line: int
    id: str
    problem: str = ""


def ids_in(path: Path, kind: JobType, from_line: int = 1) -> Iterator[FoundId]:
    """Yield what each line from this one on holds, but for empty ones. Raises TraptorError."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(islice(file, from_line - 1, None), start=from_line):
                if text := line.strip():
                    yield FoundId(number, *_found(text, kind))
    except OSError as error:
        raise TraptorError(f"{path} cannot be read: {error.strerror}") from None


def _found(text: bytes, kind: JobType) -> tuple[str, str]:
    if not text.startswith(b"{"):
        return _checked(text.decode(errors="replace"))
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return "", "not JSON"
    if not found.keys().isdisjoint(_OTHERS):
        return "", ""
    return _checked(_tweet_id(found) if kind is JobType.TWEETS else _user_id(found))


def _checked(found: object) -> tuple[str, str]:
    text = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
    return (text, "") if _ID.fullmatch(text) else ("", "no id")


def _tweet_id(found: dict[str, Any]) -> object:
    """Return the id of a delivered post or tweet, in whatever form."""
    data = found.get("data")
    return data.get("id") if isinstance(data, dict) else found.get("id_str", found.get("id"))


def _user_id(found: dict[str, Any]) -> object:
    """Return the author's id of a post or tweet, else the id of the object, which is a user."""
    data, user = found.get("data"), found.get("user")
    if isinstance(data, dict):
        return data.get("author_id", data.get("id") if "username" in data else None)
    return _tweet_id(user if isinstance(user, dict) else found)
