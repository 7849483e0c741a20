"""What track:0 lost of the tweets for storm: by the sandbox's record, the output, and the reported gaps.

A tweet is judged by the time at which the sandbox wrote it, not by the one at which it was made: on a busy
machine it waits in the server's queue meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from support.collection import Collection, Json, tweets_in
from support.pair import TICKS_S, times
from support.waiting import wait_for

_NAME, _VALUE = "track:0", "storm"

Span = tuple[float, float]


def lost(collection: Collection, *aside: Path) -> list[Json]:
    """What was made while or after it first streamed, and stands neither in its output nor in these files."""
    parts = [tweets_in(path) for path in aside]
    written = {tweet["id_str"] for part in (collection.tweets(_NAME), *parts) for tweet in part}
    opened_at = min(stream["opened_at"] for stream in _streams(collection))
    tweets = [tweet for tweet in collection.sandbox.tweets() if _VALUE in tweet["for"]]
    return [tweet for tweet in tweets if tweet["made_at"] > opened_at and tweet["id"] not in written]


def lost_outside_gaps(collection: Collection, *aside: Path) -> list[Json]:
    """Of what was lost that for which no reported gap accounts."""
    gaps = [times(gap) for gap in collection.gaps(_NAME)]
    return unaccounted(lost(collection, *aside), gaps, _streams(collection))


def check_nothing_lost(collection: Collection, *aside: Path) -> None:
    """No more tweets are made, and in the end all of them are there, or were sent in a reported gap."""
    collection.sandbox.stop_timeline()
    try:
        wait_for(lambda: not lost_outside_gaps(collection, *aside), "all is written, or lies in a gap")
    except AssertionError:
        assert lost_outside_gaps(collection, *aside) == [], collection.gaps(_NAME)


def check_all_written(collection: Collection, *aside: Path) -> None:
    """No more tweets are made, and in the end all of them are there: there was no gap."""
    collection.sandbox.stop_timeline()
    wait_for(lambda: not lost(collection, *aside), "all is written")


def unaccounted(tweets: Iterable[Json], gaps: Sequence[Span], streams: Sequence[Json]) -> list[Json]:
    """Those of lost tweets that were written to a stream outside of gaps, or to none without a gap then."""
    return [tweet for tweet in tweets if not all(_is_in(gaps, span) for span in _sent(tweet, streams))]


def _sent(tweet: Json, streams: Sequence[Json]) -> list[Span]:
    """When the sandbox wrote it; where it did not, from when it was made until it could not any more."""
    made_at = tweet["made_at"]
    writes = [made_at + at - tweet["made_mono"] for at in tweet["written_mono"]]
    return [(at, at) for at in writes] or [(made_at, _unwritten_until(made_at, streams))]


def _unwritten_until(made_at: float, streams: Sequence[Json]) -> float:
    """The end of the stream in whose queue it was; where there was no stream, the beginning of the next."""
    had = [
        s["closed_at"] or made_at for s in streams if s["opened_at"] <= made_at <= (s["closed_at"] or made_at)
    ]
    later = [stream["opened_at"] for stream in streams if stream["opened_at"] > made_at]
    return max(had) if had else min(later, default=made_at)


def _is_in(gaps: Iterable[Span], span: Span) -> bool:
    return any(since - TICKS_S <= span[1] and span[0] <= until + TICKS_S for since, until in gaps)


def _streams(collection: Collection) -> list[Json]:
    return [one for one in collection.sandbox.connections() if _carries(one)]


def _carries(stream: Json) -> bool:
    return any(_VALUE in values for values in stream["values"].values())
