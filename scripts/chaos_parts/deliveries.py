"""Account for every tweet that the sandbox sent. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from trial.judge import OpenedStream

from chaos_parts.timeline import Timelines

Delivery = tuple[str, str]  # a connection and the id of a tweet


@dataclass(frozen=True, slots=True)
class SentTweet:
    """A tweet in the sandbox's record, with the numbers of the streams it was written to, and the times.

    Not the time when it was made: on a busy machine it waits for its turn, and its connection may have died
    meanwhile.
    """

    id: str
    writes: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Topic:
    """The content of the output, which mostly is a topic: how often each tweet came from each connection."""

    counts: Counter[Delivery]
    redelivered: int  # of these: marked as sent again

    def __add__(self, other: Topic) -> Topic:
        """Return the sum of both."""
        return Topic(self.counts + other.counts, self.redelivered + other.redelivered)

    @property
    def messages(self) -> int:
        """The number of tweets, including repeats."""
        return self.counts.total()

    @property
    def doubled(self) -> int:
        """The number of repeats."""
        return self.messages - len(self.counts)


@dataclass(frozen=True)
class Deliveries:
    """The figures of the table. A tweet that was sent to two connections is two deliveries."""

    sent: int
    in_gaps: int  # sent while the ledger has a gap for that connection
    due: int  # sent outside of gaps
    lost: int  # due, and not in the output
    arrived_in_gaps: int  # in the output although not expected
    losses: tuple[str, ...]  # one line each, for people
    sent_again: int = 0  # repeats in it that the sandbox sent over a second stream of the connection


def account(
    sent: Iterable[SentTweet], streams: Sequence[OpenedStream], ledger: Timelines, topic: Topic
) -> Deliveries:
    """Check every delivery."""
    by_number = {stream.id: stream for stream in streams}
    in_gaps = due = arrived_in_gaps = sent_again = 0
    losses: list[str] = []
    anywhere = {tweet_id for _, tweet_id in topic.counts}
    for tweet in sent:
        for name, writes in _by_connection(tweet, by_number).items():
            is_there = tweet.id in anywhere if name is None else (name, tweet.id) in topic.counts
            if name is not None and is_there:
                sent_again += min(len(writes), topic.counts[name, tweet.id]) - 1
            outside = [at for _, at in writes if name is None or not ledger.in_gap(name, at)]
            if not outside:
                in_gaps += 1
                arrived_in_gaps += is_there
                continue
            due += 1
            if not is_there:
                losses.append(f"{_loss(tweet.id, outside[0], name, ledger)}: {_told(writes)}")
    return Deliveries(in_gaps + due, in_gaps, due, len(losses), arrived_in_gaps, tuple(losses), sent_again)


def _by_connection(
    tweet: SentTweet, streams: Mapping[int, OpenedStream]
) -> Mapping[str | None, list[tuple[OpenedStream, float]]]:
    """Return when the tweet was sent to which connection; two streams while one takes over from the other."""
    writes: dict[str | None, list[tuple[OpenedStream, float]]] = {}
    for number, at in tweet.writes:
        stream = streams[number]
        writes.setdefault(stream.connection, []).append((stream, at))
    return writes


def _told(writes: Iterable[tuple[OpenedStream, float]]) -> str:
    """Return by which streams it was sent, and how far from their beginning and end."""
    return ", ".join(
        f"stream {stream.id} at {at:.3f}, {at - stream.opened_at:.3f} s after it was opened, "
        f"{stream.closed_at - at:.3f} s before it was closed"
        for stream, at in writes
    )


def _loss(tweet_id: str, at: float, name: str | None, ledger: Timelines) -> str:
    """Describe a lost tweet: its id, and its distance from the gaps around it."""
    if name is None:
        return f"{tweet_id}, sent on a stream that nobody claims, is nowhere in the output"
    gaps = [entry for entry in ledger.of(name) if entry.cause]
    before = [f"{at - g.until:.3f} s after a gap ({g.cause})" for g in gaps if g.until < at]
    after = [f"{g.since - at:.3f} s before a gap ({g.cause})" for g in gaps if g.since > at]
    around = ", ".join(before[-1:] + after[:1])
    return f"{tweet_id}, sent {around or 'far from any gap'}, is not in the output of {name}"
