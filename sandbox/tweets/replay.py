"""Tweets read from a file of JSON lines instead of made ones."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from traptor.sandbox.errors import BadInput
from traptor.sandbox.tweets.maker import Tweet
from traptor.sandbox.tweets.twitterjson import parse_json, twitter_json
from traptor.sandbox.tweets.values import Value, parse_loose

_LONGEST_NUMBER = 20  # digits
_CREATED_AT = "%a %b %d %H:%M:%S %z %Y"


@dataclass(frozen=True, slots=True)
class ReplayLine:
    """One line; `at_ms` is the tweet's own time, or None when it has none."""

    tweet: Tweet
    at_ms: int | None


class Replay:
    """The lines of a file, in order: at a fixed rate, or with `speed` by their own times."""

    def __init__(self, lines: list[ReplayLine], speed: float | None = None) -> None:
        self._lines = deque(lines)
        self._speed = speed
        self._passed_ms = 0.0
        self._start_ms = next((line.at_ms for line in lines if line.at_ms is not None), 0)

    def __len__(self) -> int:
        return len(self._lines)

    def due(self, elapsed_s: float) -> int | None:
        """Return how many lines are due after this time; None when the rate decides."""
        if self._speed is None:
            return None
        self._passed_ms += elapsed_s * 1000 * self._speed
        count = 0
        for line in self._lines:
            if line.at_ms is not None and line.at_ms - self._start_ms > self._passed_ms:
                break
            count += 1
        return count

    def pop(self) -> Tweet | None:
        """Return the next tweet, or None at the end."""
        return self._lines.popleft().tweet if self._lines else None


def load_replay(path: Path) -> list[ReplayLine]:
    """Read the whole file. Raises BadInput, naming the line."""
    lines: list[ReplayLine] = []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    lines.append(_line(line.strip(), f"{path}:{number}"))
    except OSError as problem:
        raise BadInput(f"{path}: cannot be read ({problem.strerror})") from None
    return lines


def _line(line: bytes, where: str) -> ReplayLine:
    try:
        content = parse_json(line)
    except BadInput as problem:
        raise BadInput(f"{where}: {problem}") from None
    if not isinstance(content, dict):
        raise BadInput(f"{where}: an object is expected")
    if "for" not in content:
        return ReplayLine(Tweet(_id(content), (), "replay", line, is_for_all=True), _at_ms(content))
    tweet = content.get("tweet")
    if not isinstance(tweet, dict) or not isinstance(content["for"], list):
        raise BadInput(f'{where}: expected {{"for": [values], "tweet": {{...}}}}')
    return ReplayLine(
        Tweet(_id(tweet), _values(content["for"], where), "replay", twitter_json(tweet)), _at_ms(tweet)
    )


def _values(items: list[Any], where: str) -> tuple[Value, ...]:
    try:
        return tuple(dict.fromkeys(value for item in items for value in parse_loose(item)))
    except BadInput as problem:
        raise BadInput(f"{where}: {problem}") from None


def _id(tweet: dict[str, Any]) -> int | None:
    text = str(tweet.get("id_str") or tweet.get("id") or "")
    return int(text) if text.isdecimal() and len(text) <= _LONGEST_NUMBER else None


def _at_ms(tweet: dict[str, Any]) -> int | None:
    stamp = tweet.get("timestamp_ms")
    if isinstance(stamp, str) and stamp.isdecimal() and len(stamp) <= _LONGEST_NUMBER:
        return int(stamp)
    try:
        return int(datetime.strptime(str(tweet.get("created_at")), _CREATED_AT).timestamp() * 1000)
    except ValueError:
        return None
