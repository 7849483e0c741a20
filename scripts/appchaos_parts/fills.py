"""Read which times of gaps were filled, and what the filling should have found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from trial.rules import Value

from traptor.supervisor.gaps.fill import FillState
from traptor.supervisor.ledger.disk.reader import LedgerReader
from traptor.supervisor.ledger.period import Period

Json = Mapping[str, Any]

# Reposts that only their words lead to: a search for words returns none (X, changelog of 2026).
_NOT_SEARCHED = "in_retweeted"
_SEARCH = "search"


def filled_times(ledger: Path, wall_to_mono: float) -> list[tuple[float, float]]:
    """Return the times that are filled by a `ledger.db`, in monotonic seconds. Raises TraptorError."""
    with closing(LedgerReader(ledger)) as reader:
        return [
            (fill.from_unix + wall_to_mono, fill.to_unix + wall_to_mono)
            for fill in reader.fills(Period())
            if fill.state is FillState.DONE
        ]


class _Collection(msgspec.Struct):
    filled: str = ""


class _Traptor(msgspec.Struct):
    collection: _Collection = msgspec.field(default_factory=_Collection)


class _Post(msgspec.Struct):
    id: str = ""


class _Line(msgspec.Struct):
    """The relevant part of a line of the output."""

    data: _Post = msgspec.field(default_factory=_Post)
    traptor: _Traptor = msgspec.field(default_factory=_Traptor)


_decode = msgspec.json.Decoder(_Line).decode


def searched_posts(output: Path) -> frozenset[str]:
    """Return the posts in a file of the output that a search found."""
    if not output.exists():
        return frozenset()
    with output.open("rb") as lines:
        return frozenset(
            one.data.id for one in map(_decode, lines) if one.traptor.collection.filled == _SEARCH
        )


def findable(
    tweets: Iterable[Json], matches: Iterable[Json], steady: frozenset[Value]
) -> list[tuple[str, float]]:
    """Return the posts that a filter of ours matched and a fill must find, with the times of their making.

    A fill asks for the rules that still exist: only what was made for rules that stay, and for no others, is
    to be expected.
    """
    expected = {tweet["id"] for tweet in tweets if _is_expected(tweet, steady)}
    return [(match["id"], match["at_mono"]) for match in matches if match["id"] in expected]


def _is_expected(tweet: Json, steady: frozenset[Value]) -> bool:
    values = frozenset(zip(tweet["types"], tweet["for"], strict=True))
    return _NOT_SEARCHED not in tweet["form"] and bool(values) and values <= steady
