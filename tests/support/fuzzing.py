"""What the fuzz tests share: how many examples they try, and JSON of every kind.

`TRAPTOR_FUZZ=100 scripts/test -- tests/fuzz/test_stream.py` tries a hundred times as many examples.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from support.paths import DATA

_FACTOR = float(os.environ.get("TRAPTOR_FUZZ", "1"))
_TWEETS = DATA / "tweets-v1.1.jsonl"

TWEETS: tuple[dict[str, Any], ...] = tuple(map(json.loads, _TWEETS.read_bytes().splitlines()))


def examples(count: int) -> settings:
    """So many examples, or as many times more as TRAPTOR_FUZZ says."""
    return settings(max_examples=max(1, round(count * _FACTOR)))


HALVES = st.text(st.characters(categories=["Cs", "Ll"]), max_size=3)  # with halves of surrogate pairs
NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([0, -1, 2**31, 2**53, 2**63, 2**64, 10**30, 10**400, -(10**19), 1e308, -0.0]),
)
TEXTS = st.one_of(st.text(max_size=20), HALVES, st.sampled_from(["", "\0", "\r\n", "\u2028", "0", "1e999"]))
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
JSON_VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=8,
)


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where in decoded JSON a value stands, for every value but the outermost."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield (*path, name)
        yield from paths(inner, (*path, name))


def replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """A copy with another value at `path`."""
    result = copy.deepcopy(value)
    place = result
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = new
    return result


def line_of(value: Any, is_ascii: bool, separator: str) -> bytes:
    """Return the value as one line of a stream."""
    text = json.dumps(value, ensure_ascii=is_ascii, separators=(separator, ":"))
    return text.encode(errors="surrogatepass")


@st.composite
def mangled(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes of which pieces are gone, doubled or replaced."""
    for _ in range(draw(st.integers(1, 4))):
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(content))] * 2)))
        end = min(end, start + draw(st.sampled_from([0, 1, 20, 1_000])))
        piece = draw(st.one_of(st.binary(max_size=6), st.just(content[start:end] * 2), PIECES))
        content = content[:start] + piece + content[end:]
    return content


PIECES = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"\0", b"\xff", b'"', b"\\", b"\\ud800", b"{", b"]", b",", b"NaN", b"1e999", b"-"]
)
