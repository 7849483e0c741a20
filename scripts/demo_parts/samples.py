"""The newest tweet of each output file, for the screen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import orjson

_TAIL_BYTES = 32_768


@dataclass(frozen=True, slots=True)
class Sample:
    """One delivered tweet."""

    connection: str
    tag: str
    text: str


def newest(output: Path) -> list[Sample]:
    """Return one for each connection that has written."""
    samples = (_newest_of(path) for path in sorted(output.glob("*.jsonl")))
    return [sample for sample in samples if sample is not None]


def _newest_of(path: Path) -> Sample | None:
    with path.open("rb") as lines:
        size = lines.seek(0, 2)
        lines.seek(max(0, size - _TAIL_BYTES))
        pieces = lines.read().split(b"\n")[:-1]  # text after the last line end is not complete
    if len(pieces) < (1 if size <= _TAIL_BYTES else 2):
        return None
    return sample_of(path.name.removesuffix(".jsonl"), pieces[-1])


def sample_of(connection: str, line: bytes) -> Sample:
    """Return what is shown of a delivered tweet."""
    tweet = orjson.loads(line)
    rules = tweet.get("traptor", {}).get("collection_rules") or [{}]
    text = " ".join(tweet.get("data", tweet).get("text", "").split())
    return Sample(connection, rules[0].get("tag", ""), text)
