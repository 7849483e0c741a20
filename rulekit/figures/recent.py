"""Recent tweets: the ends of the output's files, where it has files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_MOST_FILES = 50
_LINES = "jsonl:"
_STDOUT = "jsonl:-"


def recent_lines(output: str, end_bytes: int, most_files: int = _MOST_FILES) -> Iterator[bytes]:
    """Yield the last lines of the files of an `output = jsonl:DIR`, `end_bytes` of each, the newest first.

    A file that cannot be read is left out.
    """
    if not output.startswith(_LINES) or output == _STDOUT:
        return
    for path in _newest(Path(output.removeprefix(_LINES)))[:most_files]:
        yield from _end(path, end_bytes)


def last_lines(output: str, connection: str, end_bytes: int) -> list[bytes]:
    """Return the last lines of a connection's file, as far as there is one."""
    if not output.startswith(_LINES) or output == _STDOUT:
        return []
    return _end(Path(output.removeprefix(_LINES)) / f"{connection}.jsonl", end_bytes)


def text_in(tweet: Mapping[str, Any]) -> str:
    """Return the whole text of a delivered tweet, of either API."""
    post = tweet.get("data")
    post = post if isinstance(post, Mapping) else tweet
    places = (
        (post.get("note_tweet") or {}).get("text"),
        (post.get("extended_tweet") or {}).get("full_text"),
        post.get("full_text"),
        post.get("text"),
    )
    return next((text for text in places if isinstance(text, str)), "")


def _end(path: Path, end_bytes: int) -> list[bytes]:
    try:
        with path.open("rb") as stream:
            start = max(stream.seek(0, os.SEEK_END) - end_bytes, 0)
            stream.seek(start)
            lines = stream.read(end_bytes).splitlines()
    except OSError:
        return []
    return lines[1:] if start else lines


def _newest(folder: Path) -> list[Path]:
    dated = []
    for path in folder.glob("*.jsonl"):
        try:
            dated.append((-path.stat().st_mtime, path))
        except OSError:
            continue
    return [path for _, path in sorted(dated)]
