"""Find the times in which the server wrote to a stream and nobody read it any more. Pure.

The server notices seconds late, where it is busy, that a worker is dead or that it closed its stream. What it
wrote meanwhile arrived nowhere, which is what a gap says: such a time is no disagreement. Where even one
tweet of it arrived, it is one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from trial.judge import OpenedStream, Silence

from chaos_parts.deliveries import SentTweet, Topic

_Write = tuple[float, bool]  # when it was written, and whether it arrived


def unread_times(sent: Iterable[SentTweet], streams: Sequence[OpenedStream], topic: Topic) -> list[Silence]:
    """Return the times from what arrived last to what arrived next, or to the stream's end."""
    names = {stream.id: stream.connection for stream in streams}
    writes: dict[int, list[_Write]] = defaultdict(list)
    for tweet in sent:
        for number, at in tweet.writes:
            writes[number].append((at, (names[number], tweet.id) in topic.counts))
    return [
        Silence(stream.connection, since, until)
        for stream in streams
        if stream.connection is not None
        for since, until in _lost_runs(stream, sorted(writes[stream.id]))
    ]


def _lost_runs(stream: OpenedStream, writes: Sequence[_Write]) -> Iterator[tuple[float, float]]:
    since, is_lost = stream.opened_at, False
    for arrived, run in groupby(writes, key=lambda write: write[1]):
        times = [at for at, _ in run]
        if is_lost:
            yield since, times[0]
        if arrived:
            since = times[-1]
        is_lost = not arrived
    if is_lost:
        yield since, stream.closed_at
