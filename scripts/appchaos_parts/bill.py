"""Compare the bill with our count and the output, post by post. Pure.

The server bills each post that it writes, once. A worker reads what a stream brings in order, and keeps it in
order. So a post that is billed and in no output can have been unread only if it was written after the last
post of its stream that the output holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from chaos_parts.deliveries import SentTweet

_DYING_S = 0.5  # the workers of a supervisor that is killed die a moment after it


@dataclass(frozen=True, slots=True)
class Bill:
    """Numbers of posts."""

    billed: int  # by the server
    counted: int  # by the supervisor
    delivered: int  # in the output
    unread: int  # written to a stream after the last one of it that the output holds
    in_hand: int  # of these: written before a worker died of a kill, which may have counted them
    passed_over: int  # written before a later one of their stream that the output holds, and not in it
    searches: int  # billed and written to no stream, and in no output: found by a search

    def breaches(self, *, with_searches: bool) -> Iterable[str]:
        """Yield where the bill is not what was read and what provably was not, and our count not the output.

        A worker counts what it has read, then writes the lines. One that is killed in between has counted
        what nobody has: at most what it had in hand.
        """
        if self.passed_over:
            yield f"{self.passed_over:,} posts are in no output, though later ones of their stream are"
        if self.searches < 0 or (self.searches and not with_searches):
            yield (
                f"billed {self.billed:,} posts, where {self.delivered:,} are in the output"
                f" and {self.unread + self.passed_over:,} were never read"
            )
        most = self.delivered + self.in_hand + max(self.searches, 0)
        if not self.delivered <= self.counted <= most:
            yield (
                f"counted {self.counted:,} posts, where {self.delivered:,} of {self.billed:,} billed are"
                f" in the output and {most - self.delivered:,} others may have been counted"
            )


@dataclass(frozen=True)
class Records:
    """What the comparison needs; times are monotonic seconds."""

    sent: Sequence[SentTweet]
    delivered: Collection[str]  # posts in the output
    closed: Mapping[int, float]  # by stream: when the server saw its end
    kills: Sequence[float]  # of workers


def settled(records: Records, billed: int, counted: int) -> Bill:
    """Return the comparison."""
    delivered = records.delivered
    last = _last_kept(records.sent, delivered)
    missing = [post for post in records.sent if post.id not in delivered]
    unread = [post for post in missing if all(at >= last.get(stream, at) for stream, at in post.writes)]
    in_hand = [post for post in unread if _was_in_hand(post, records)]
    return Bill(
        billed=billed,
        counted=counted,
        delivered=len(delivered),
        unread=len(unread),
        in_hand=len(in_hand),
        passed_over=len(missing) - len(unread),
        searches=billed - len(delivered) - len(missing),
    )


def _was_in_hand(post: SentTweet, records: Records) -> bool:
    """Tell whether a worker was killed while a stream was open to which the post had been written."""
    return any(
        at - _DYING_S <= kill <= records.closed[stream]
        for stream, at in post.writes
        for kill in records.kills
    )


def _last_kept(sent: Iterable[SentTweet], delivered: Collection[str]) -> dict[int, float]:
    """Return, by stream, when the last post that the output holds was written to it."""
    last: dict[int, float] = {}
    for post in sent:
        if post.id in delivered:
            for stream, at in post.writes:
                last[stream] = max(at, last.get(stream, at))
    return last
