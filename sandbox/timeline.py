"""The public timeline: it makes tweets whether or not a client is connected."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import cycle, islice
from random import Random
from typing import Any, Protocol

from traptor.sandbox.archive import Archive
from traptor.sandbox.clock import Clock
from traptor.sandbox.errors import BadInput
from traptor.sandbox.record import TweetLog, TweetRecord
from traptor.sandbox.tweets.edit import can_be_edited, edited
from traptor.sandbox.tweets.maker import Tweet, TweetMaker
from traptor.sandbox.tweets.replay import Replay
from traptor.sandbox.tweets.values import Value

TICK_S = 0.02
_LONGEST_TICK_S = 1.0  # prevents a flood after a pause of the process
_BURST_SLICE = 50  # tweets between two turns of the event loop
_KEEP_CHANGES = 10_000
EDIT_AFTER_S = 2.0
_EDITS_SEED = 1

Rule = dict[str, str]


class Audience(Protocol):
    """The readers of the timeline."""

    def deliver(self, tweet: Tweet, record: TweetRecord) -> None:
        """Pass a tweet to every connection that wants it, and record which these were."""


class Audiences:
    """Several audiences of one timeline; each gets every tweet."""

    def __init__(self, *audiences: Audience) -> None:
        self._audiences = audiences

    def deliver(self, tweet: Tweet, record: TweetRecord) -> None:
        """Hand a tweet to all of them."""
        for audience in self._audiences:
            audience.deliver(tweet, record)


class Timeline:
    """Makes `rate` tweets per second and passes each to the connections that want it.

    `edits` is the share of tweets of which a new version follows.
    """

    def __init__(
        self,
        maker: TweetMaker,
        log: TweetLog,
        archive: Archive,
        audience: Audience,
        clock: Clock,
        rate: float,
        noise: float,
        edits: float = 0.0,
        replay: Replay | None = None,
    ) -> None:
        self._maker = maker
        self._log = log
        self._archive = archive
        self._audience = audience
        self._clock = clock
        self._replay = replay
        self._credit = 0.0
        self._lots = Random(_EDITS_SEED)
        self._due_edits: deque[tuple[float, Tweet, TweetRecord]] = deque()
        self.rate = rate
        self.noise = noise
        self.edits = edits
        self.is_running = True
        self.rules: list[Rule] = []
        self.rule_changes: deque[dict[str, Any]] = deque(maxlen=_KEEP_CHANGES)

    @property
    def left_to_replay(self) -> int | None:
        """The number of unread lines of the replayed file; None without a file."""
        return None if self._replay is None else len(self._replay)

    def set_rules(self, rules: list[Rule], values: list[Value]) -> None:
        """Make tweets for these rules from the next tweet on."""
        self._maker.set_values(values)
        self.rules = rules
        now = self._clock()
        self.rule_changes.append(
            {"at": now.unix, "at_mono": now.mono, "rules": len(rules), "next_n": self._log.made + 1}
        )

    async def run(self) -> None:
        """Make tweets until cancelled."""
        last = self._clock().mono
        while True:
            await asyncio.sleep(TICK_S)
            now = self._clock().mono
            if self.is_running:
                self._edit_due(now)
                self._tick(min(now - last, _LONGEST_TICK_S))
            last = now

    async def burst(self, count: int, values: list[Value]) -> tuple[int, int]:
        """Make this many tweets at once, for these values in turn or, without any, as the timeline would.

        Return the numbers of the first and the last.
        """
        first = self._log.made + 1
        wanted = cycle(values) if values else None
        for start in range(0, count, _BURST_SLICE):
            size = min(_BURST_SLICE, count - start)
            if wanted is None:
                self._make(size)
            else:
                for value in islice(wanted, size):
                    self._publish(self._maker.make_for([value], self._clock().unix))
            await asyncio.sleep(0)  # lets the connections write
        return first, self._log.made

    def edit(self, tweet_id: int) -> int:
        """Publish the next version of a tweet; return its id. Raises BadInput."""
        found = self._archive.find(tweet_id)
        if found is None:
            raise BadInput(f"{tweet_id}: no such tweet is kept")
        tweet, record = found
        if not self._archive.is_latest(record):
            raise BadInput(f"{tweet_id}: there is a newer version")
        return self._edit(tweet, record)

    def _edit(self, tweet: Tweet, record: TweetRecord) -> int:
        new_id = self._maker.next_id(self._clock().unix)
        version = edited(tweet, new_id)
        self._archive.supersede(record.number)
        self._publish(version, edit_of=record.number)
        return new_id

    def _edit_due(self, now_mono_s: float) -> None:
        while self._due_edits and self._due_edits[0][0] <= now_mono_s:
            _, tweet, record = self._due_edits.popleft()
            if self._archive.is_latest(record):
                self._edit(tweet, record)

    def _tick(self, elapsed_s: float) -> None:
        due = None if self._replay is None else self._replay.due(elapsed_s)
        if due is None:
            self._credit += self.rate * elapsed_s
            due = int(self._credit)
            self._credit -= due
        if self._replay is None:
            self._make(due)
            return
        for _ in range(due):
            tweet = self._replay.pop()
            if tweet is not None:
                self._publish(tweet)

    def _make(self, count: int) -> None:
        for _ in range(count):
            self._publish(self._maker.make(self._clock().unix, self.noise))

    def _publish(self, tweet: Tweet, edit_of: int | None = None) -> None:
        now = self._clock()
        record = self._log.add(tweet, now, edit_of)
        self._archive.add(tweet, record)
        self._audience.deliver(tweet, record)
        if self.edits and self._lots.random() < self.edits and can_be_edited(tweet):
            self._due_edits.append((now.mono + EDIT_AFTER_S, tweet, record))
