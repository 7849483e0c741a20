"""Posts and tweets as they stand in files of JSON lines, in whatever form they were delivered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from traptor.common.errors import TraptorError

_V1_TIME = "%a %b %d %H:%M:%S %z %Y"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file: what it holds, or why it cannot be used."""

    number: int
    found: Json | None
    problem: str = ""


def json_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a file that are not empty. Raises TraptorError when it cannot be read."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _read(number, line)
    except OSError as error:
        raise TraptorError(f"{path} cannot be read ({error.strerror}): name a file of JSON lines") from None


def _read(number: int, line: bytes) -> Line:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return Line(number, None, "not JSON")
    return Line(number, found) if isinstance(found, dict) else Line(number, None, "not a JSON object")


@dataclass(frozen=True, slots=True)
class ComparedPost:
    """What a post says in either form, as far as the two must agree."""

    id: str
    rules: tuple[str, ...]
    author: str | None
    time: float | None  # Unix seconds, whole
    text: str | None

    def differs_from(self, other: ComparedPost) -> tuple[str, ...]:
        """Return the names of the parts that are not equal."""
        return tuple(
            name
            for name in ("rules", "author", "time", "text")
            if getattr(self, name) != getattr(other, name)
        )


def post_of(found: Json) -> ComparedPost | None:
    """Return the post that a delivered line holds; None for other messages."""
    try:
        return _native(found) if "data" in found else _v1(found)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _native(found: Json) -> ComparedPost:
    data = found["data"]
    note = data.get("note_tweet") or data.get("note_post") or {}
    time = datetime.fromisoformat(data["created_at"]) if data.get("created_at") else None
    text = note.get("text", data.get("text"))
    return ComparedPost(str(data["id"]), _rules(found), data.get("author_id"), _whole(time), text)


def _v1(found: Json) -> ComparedPost:
    extended = found.get("extended_tweet") or {}
    user = found.get("user") or {}
    time = datetime.strptime(found["created_at"], _V1_TIME) if found.get("created_at") else None
    text = extended.get("full_text", found.get("text"))
    return ComparedPost(str(found["id_str"]), _rules(found), user.get("id_str"), _whole(time), text)


def _rules(found: Json) -> tuple[str, ...]:
    rules = found.get("traptor", {}).get("collection_rules", ())
    return tuple(sorted(str(rule["rule_id"]) for rule in rules))


def _whole(time: datetime | None) -> float | None:
    return None if time is None else float(int(time.timestamp()))
