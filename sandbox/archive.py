"""The tweets that were made, kept for questions about the past: searches, backfill, recovery and edits."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice

from traptor.sandbox.record import TweetRecord
from traptor.sandbox.tweets.maker import Tweet

BLOCK_TWEETS = 64
KEEP = 500_000  # an hour of 139 tweets a second, in about 420 bytes each
_FASTEST = 1
_BLOCKS_AT_HAND = 16


class Block:
    """Up to BLOCK_TWEETS consecutive tweets; compressed once it is full."""

    def __init__(self) -> None:
        self.records: list[TweetRecord] = []
        self._lines: list[bytes] = []
        self._for_all: set[int] = set()  # places of the tweets that are for every connection
        self._compressed = b""

    @property
    def is_full(self) -> bool:
        """Whether the next tweet belongs to another block."""
        return len(self.records) >= BLOCK_TWEETS

    def add(self, tweet: Tweet, record: TweetRecord) -> None:
        """Keep a tweet."""
        if tweet.is_for_all:
            self._for_all.add(len(self.records))
        self.records.append(record)
        self._lines.append(tweet.json)
        if self.is_full:
            self._compressed = zlib.compress(b"\n".join(self._lines), _FASTEST)
            self._lines = []

    def tweets(self) -> list[Tweet]:
        """Return the tweets, the oldest first."""
        lines = self._lines or zlib.decompress(self._compressed).split(b"\n")
        return [
            Tweet(record.id, record.values, record.form, line, place in self._for_all)
            for place, (record, line) in enumerate(zip(self.records, lines, strict=True))
        ]


class Archive:
    """The last `keep` tweets, by number and by time."""

    def __init__(self, keep: int = KEEP) -> None:
        self._blocks: deque[Block] = deque(maxlen=max(-(-keep // BLOCK_TWEETS), 1) + 1)
        self._opened = lru_cache(maxsize=_BLOCKS_AT_HAND)(Block.tweets)
        self._superseded: set[int] = set()

    def add(self, tweet: Tweet, record: TweetRecord) -> None:
        """Keep a tweet with its record; numbers follow one another."""
        if not self._blocks or self._blocks[-1].is_full:
            self._blocks.append(Block())
        self._blocks[-1].add(tweet, record)

    def get(self, number: int) -> tuple[Tweet, TweetRecord] | None:
        """Return the tweet with this number, and its record; None if it is no longer kept."""
        if not self._blocks or number < (first := self._blocks[0].records[0].number):
            return None
        row, place = divmod(number - first, BLOCK_TWEETS)
        if row >= len(self._blocks) or place >= len(self._blocks[row].records):
            return None
        block = self._blocks[row]
        return self.tweets(block)[place], block.records[place]

    def find(self, tweet_id: int) -> tuple[Tweet, TweetRecord] | None:
        """Return the last tweet with this id, and its record."""
        for block in reversed(self._blocks):
            for place, record in enumerate(block.records):
                if record.id == tweet_id:
                    return self.tweets(block)[place], record
        return None

    def tweets(self, block: Block) -> list[Tweet]:
        """Return the tweets of a block; those of full blocks are at hand for a while."""
        return self._opened(block) if block.is_full else block.tweets()

    def blocks(self, start_unix_s: float, end_unix_s: float) -> list[Block]:
        """Return the blocks that may hold tweets made in this time, the newest first."""
        found = []
        for block in reversed(self._blocks):
            if block.records[-1].made_at < start_unix_s:
                break
            if block.records[0].made_at < end_unix_s:
                found.append(block)
        return found

    def last(self, count: int) -> Iterator[tuple[float, Tweet]]:
        """Yield at most this many of the newest tweets, with the time at which each was made."""
        return islice(self._newest_first(), count)

    def supersede(self, number: int) -> None:
        """Remember that a newer version of this tweet exists."""
        self._superseded.add(number)

    def is_latest(self, record: TweetRecord) -> bool:
        """Tell whether this is the newest version of its tweet."""
        return record.number not in self._superseded

    def _newest_first(self) -> Iterator[tuple[float, Tweet]]:
        for block in list(reversed(self._blocks)):
            pairs: Sequence[tuple[TweetRecord, Tweet]] = list(
                zip(block.records, self.tweets(block), strict=True)
            )
            yield from ((record.made_at, tweet) for record, tweet in reversed(pairs))
