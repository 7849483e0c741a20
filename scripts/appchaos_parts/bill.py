"""Compare the bill with our count and the output, post by post. Pure.

The server bills each post that it writes, once. A worker reads what a stream brings in order, and keeps it in
order. So a post that is billed and in no output was left unread only if no later one of its stream was read:
none is in the output that, whichever of its streams brought it, came there after the missing one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from chaos_parts.deliveries import SentTweet

_Times = dict[int, float]  # by stream
_Last = dict[frozenset[int], list[_Times]]

_DYING_S = 0.5  # the workers of a supervisor that is killed die a moment after it
_REPORTED_S = 1.0  # a worker reports twice a second what it read, and the supervisor counts it


@dataclass(frozen=True, slots=True)
class Bill:
    """Numbers of posts."""

    billed: int  # by the server
    counted: int  # by the supervisor
    delivered: int  # in the output
    unread: int  # in no output, and no later one of its stream was read
    in_hand: int  # of these: written before a worker died of a kill, which may have counted them
    passed_over: int  # in no output, though a later one of its stream was read
    searches: int  # billed and written to no stream, and in no output: found by a search
    unreported: int = 0  # delivered, and perhaps not counted: only a killed worker knew of them

    def breaches(self, *, with_searches: bool) -> Iterable[str]:
        """Yield where the bill is not what was read and what provably was not, and our count not the output.

        A worker counts what it has read, then writes the lines. One that is killed in between has counted
        what nobody has: at most what it had in hand. One that cannot write down what it read, since it began
        on a full disk, and says so, takes with it what it read since its last report.
        """
        if self.passed_over:
            yield f"{self.passed_over:,} posts are in no output, though later ones of their stream were read"
        if self.searches < 0 or (self.searches and not with_searches):
            yield (
                f"billed {self.billed:,} posts, where {self.delivered:,} are in the output"
                f" and {self.unread + self.passed_over:,} were never read"
            )
        most = self.delivered + self.in_hand + max(self.searches, 0)
        if not self.delivered - self.unreported <= self.counted <= most:
            yield (
                f"counted {self.counted:,} posts, where {self.delivered:,} of {self.billed:,} billed are"
                f" in the output and {most - self.delivered:,} others may have been counted"
            )


@dataclass(frozen=True)
class Records:
    """What the comparison needs; times are monotonic seconds."""

    sent: Sequence[SentTweet]
    delivered: Collection[str]  # posts in the output
    searched: Collection[str]  # of these: those that a search found, whatever streams had brought
    closed: Mapping[int, float]  # by stream: when the server saw its end
    kills: Sequence[float]  # of workers
    unnoted: Sequence[float] = ()  # when a worker said that it cannot write down what it read
    slowness: float = 1.0


def settled(records: Records, billed: int, counted: int) -> Bill:
    """Return the comparison."""
    delivered = records.delivered
    missing = [post for post in records.sent if post.id not in delivered]
    read = [post for post in records.sent if post.id in delivered and post.id not in records.searched]
    last = _last_read(read)
    unread = [post for post in missing if not _is_passed_over(post, last)]
    in_hand = [post for post in unread if _was_in_hand(post, records)]
    ends = [min(after) for at in records.unnoted if (after := [kill for kill in records.kills if kill >= at])]
    return Bill(
        billed=billed,
        counted=counted,
        delivered=len(delivered),
        unread=len(unread),
        in_hand=len(in_hand),
        passed_over=len(missing) - len(unread),
        searches=billed - len(delivered) - len(missing),
        unreported=sum(_was_just_read(post, frozenset(ends), records.slowness) for post in read),
    )


def _was_just_read(post: SentTweet, ends: Collection[float], slowness: float) -> bool:
    """Tell whether a worker had the post only a moment before one of these ends."""
    since_s = _REPORTED_S * slowness
    return any(end - since_s <= at <= end + _DYING_S for _, at in post.writes for end in ends)


def _was_in_hand(post: SentTweet, records: Records) -> bool:
    """Tell whether a worker was killed while a stream was open to which the post had been written."""
    return any(
        at - _DYING_S <= kill <= records.closed[stream]
        for stream, at in post.writes
        for kill in records.kills
    )


def _last_read(read: Iterable[SentTweet]) -> _Last:
    """Return when the last posts were written to each set of streams.

    Posts of several streams need not come in the same order on each: of them there may be more than one last.
    """
    last: _Last = {}
    for post in read:
        times = _times(post)
        known = last.setdefault(frozenset(times), [])
        if not any(_is_before(times, one) for one in known):
            known[:] = [one for one in known if not _is_before(one, times)] + [times]
    return last


def _is_passed_over(post: SentTweet, last: _Last) -> bool:
    """Tell whether a post was read before which this one came, whichever of its streams brought that one."""
    times = _times(post)
    return any(
        _is_before(times, one) for streams, those in last.items() if streams <= times.keys() for one in those
    )


def _is_before(some: _Times, others: _Times) -> bool:
    """Tell whether each of the other times is later than that of the same stream."""
    return all(some[stream] < at for stream, at in others.items())


def _times(post: SentTweet) -> _Times:
    """Return when the post was first written to each of its streams."""
    times: _Times = {}
    for stream, at in post.writes:
        times[stream] = min(at, times.get(stream, at))
    return times
