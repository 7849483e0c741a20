"""Account for every tweet that the sandbox made, from the sandbox's record and the output. Pure.

All times are seconds of this host's monotonic clock.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from trial.rules import Value

_SHOWN_LOSSES = 5


@dataclass(frozen=True, slots=True)
class MadeTweet:
    """A tweet of the sandbox's timeline, and the values that it was made for.

    `sent` tells when it was written to which stream (by its id); a busy server does that later, or not at all
    if the stream is closed meanwhile. None: at the time it was made.
    """

    id: str
    values: frozenset[Value]
    made_at: float
    sent: Mapping[int, float] | None = None

    def sent_at(self, stream: OpenedStream) -> float | None:
        """Return when it was written to a stream that was open when it was made; None: never."""
        return self.made_at if self.sent is None else self.sent.get(stream.id)


@dataclass(frozen=True, slots=True)
class OpenedStream:
    """A stream in the sandbox's record. `connection` is None when the supervisor logged no opening of it."""

    connection: str | None
    values: frozenset[Value] = field(repr=False)
    opened_at: float
    closed_at: float
    id: int = 0  # in the sandbox's record
    logged_at: float = math.inf  # when the supervisor logged its opening

    def is_open(self, at: float) -> bool:
        """Tell whether tweets were written to it at that time."""
        return self.opened_at <= at < self.closed_at


@dataclass(frozen=True, slots=True)
class ReportedGap:
    """A gap as logged in supervisor.log."""

    connection: str
    cause: str
    since: float
    until: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Silence:
    """A time in which the sandbox deliberately wrote nothing, too short for the connection's stall timer."""

    connection: str
    since: float
    until: float


@dataclass(frozen=True)
class Evidence:
    """All evidence for the judge."""

    tweets: Sequence[MadeTweet]
    streams: Sequence[OpenedStream]
    gaps: Sequence[ReportedGap]
    written: Mapping[str, Counter[str]]  # by connection: how often each tweet id stands in its output
    rules: Sequence[tuple[float, frozenset[Value]]]  # the history of the rules in Redis, in order
    silences: Sequence[Silence] = ()
    notice_s: float = 0.0  # how much later than the server the supervisor may notice a stream's end


@dataclass(frozen=True)
class Verdict:
    """The numbers of the summary: of tweets, and from `due` on of deliveries, as a tweet may have two."""

    made: int  # for a rule that was in Redis then
    early: int  # of these: before their rule was first in an open filter, or in a reported gap
    unexplained: int  # of these: no longer in an open filter, and in no reported gap
    due: int  # to each connection whose open filter held a value, outside its reported gaps
    written: int
    doubled: int
    beyond: int  # written once though not due: sent in a time that its connection reports as a gap
    lost: int  # due and not written
    silent: int  # not written, and made in a silence that looks like a quiet stream
    losses: tuple[str, ...]  # the first of them, and of the unexplained ones, for people

    @property
    def more(self) -> int:
        """The deliveries due beyond one per due tweet for a rule in Redis."""
        return self.due - (self.made - self.early - self.unexplained)

    @property
    def is_good(self) -> bool:
        """True when every tweet is accounted for."""
        return not self.lost and not self.unexplained


def judge(evidence: Evidence) -> Verdict:
    """Account for every tweet that was made for a rule."""
    return _Judge(evidence).verdict()


class _Judge:
    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._rules_since = [since for since, _ in evidence.rules]
        self._streams: dict[Value, list[OpenedStream]] = defaultdict(list)
        for stream in sorted(evidence.streams, key=lambda stream: stream.opened_at):
            for value in stream.values:
                self._streams[value].append(stream)
        self._gaps: dict[str, list[ReportedGap]] = defaultdict(list)
        for gap in evidence.gaps:
            self._gaps[gap.connection].append(gap)
        self._written_anywhere = set().union(*evidence.written.values())

    def verdict(self) -> Verdict:
        made = early = unexplained = due = lost = silent = 0
        losses: list[str] = []
        due_and_written: set[tuple[str, str]] = set()
        for tweet in self._evidence.tweets:
            names = self._due_to(tweet)
            unwritten = [name for name in names if not self._is_written(tweet.id, name)]
            due_and_written |= {self._pair(tweet.id, name) for name in names if name not in unwritten}
            missing = [name for name in unwritten if not self._in_silence(name, tweet.made_at)]
            silent += len(unwritten) - len(missing)
            due += len(names)
            lost += len(missing)
            losses += [_loss(tweet, name) for name in missing[: _SHOWN_LOSSES - len(losses)]]
            if wanted := tweet.values & self._in_redis(tweet.made_at):
                made += 1
                if not self._is_due(wanted, tweet.made_at):
                    is_early = self._is_early(wanted, tweet.made_at)
                    is_silent = not is_early and self._was_silent(wanted, tweet.made_at)
                    early += is_early
                    silent += is_silent
                    unexplained += not is_early and not is_silent
                    if not is_early and not is_silent and len(losses) < _SHOWN_LOSSES:
                        losses.append(self._riddle(tweet))
        counts = [count for ids in self._evidence.written.values() for count in ids.values()]
        return Verdict(
            made=made,
            early=early,
            unexplained=unexplained,
            due=due,
            written=sum(counts),
            doubled=sum(counts) - len(counts),
            beyond=len(counts) - len(due_and_written),
            lost=lost,
            silent=silent,
            losses=tuple(losses),
        )

    def _due_to(self, tweet: MadeTweet) -> list[str | None]:
        """Return the connections with it in an open filter that were sent it outside their reported gaps."""
        streams = self._holders(tweet.values, tweet.made_at)
        sent = [(stream.connection, at) for stream in streams if (at := tweet.sent_at(stream)) is not None]
        return sorted({name for name, at in sent if not self._in_gap(name, at)}, key=str)

    def _is_written(self, tweet_id: str, name: str | None) -> bool:
        if name is None:
            return tweet_id in self._written_anywhere
        return tweet_id in self._evidence.written.get(name, ())

    def _pair(self, tweet_id: str, name: str | None) -> tuple[str, str]:
        """Return the tweet and its output; a stream without a logged opening does not name it."""
        written = self._evidence.written
        return tweet_id, name or next(place for place, ids in written.items() if tweet_id in ids)

    def _is_due(self, values: Iterable[Value], at: float) -> bool:
        """Tell whether an open stream asked for it, and its connection reports no gap."""
        return any(not self._in_gap(stream.connection, at) for stream in self._holders(values, at))

    def _is_early(self, values: Iterable[Value], at: float) -> bool:
        """Tell whether each of its rules was in no open filter yet, or its connection reports a gap."""
        notice_s = self._evidence.notice_s
        return all(
            not earlier or any(self._in_gap(stream.connection, at, notice_s) for stream in earlier)
            for earlier in (self._opened_before(value, at) for value in values)
        )

    def _opened_before(self, value: Value, at: float) -> list[OpenedStream]:
        return [stream for stream in self._streams.get(value, ()) if stream.opened_at <= at]

    def _holders(self, values: Iterable[Value], at: float) -> list[OpenedStream]:
        return [stream for value in values for stream in self._streams.get(value, ()) if stream.is_open(at)]

    def _in_gap(self, name: str | None, at: float, notice_s: float = 0.0) -> bool:
        return name is not None and any(gap.since - notice_s <= at <= gap.until for gap in self._gaps[name])

    def _in_silence(self, name: str | None, at: float) -> bool:
        return any(s.connection == name and s.since <= at <= s.until for s in self._evidence.silences)

    def _was_silent(self, values: Iterable[Value], at: float) -> bool:
        """Tell whether a stream that asked for it was half open then."""
        earlier = [stream for value in values for stream in self._opened_before(value, at)]
        return any(self._in_silence(stream.connection, at) for stream in earlier)

    def _riddle(self, tweet: MadeTweet) -> str:
        earlier = [s for value in tweet.values for s in self._opened_before(value, tweet.made_at)]
        last = max(earlier, key=lambda stream: stream.opened_at)
        later = [gap.since for gap in self._gaps[last.connection or ""] if gap.until >= tweet.made_at]
        after_s = tweet.made_at - last.closed_at
        gap_s = min(later, default=math.inf) - tweet.made_at
        return (
            f"{tweet.id} was made {after_s:.3f} s after the stream of {last.connection} closed,"
            f" {gap_s:.3f} s before the next gap"
        )

    def _in_redis(self, at: float) -> frozenset[Value]:
        index = bisect_right(self._rules_since, at) - 1
        return self._evidence.rules[index][1] if index >= 0 else frozenset()


def _loss(tweet: MadeTweet, name: str | None) -> str:
    values = " and ".join(f"{kind} {text!r}" for kind, text in sorted(tweet.values))
    return f"{tweet.id}, made for {values}, is not in the output of {name or 'any connection'}"
