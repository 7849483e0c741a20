"""Find posts in the archive, at a cost that depends on the time searched once and on the finds each time."""

from __future__ import annotations

import asyncio
import sys
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass

from traptor.sandbox.archive import Archive, Block
from traptor.sandbox.record import TweetRecord
from traptor.sandbox.v2.language.rule import Rule
from traptor.sandbox.v2.posts import Post, read_post

_INDEXED_BLOCKS = 512


@dataclass(frozen=True, slots=True)
class Span:
    """The tweets asked for: made from `start` until before `end`, with a number below `before`."""

    start_unix_s: float
    end_unix_s: float
    before: int | None = None

    def holds(self, record: TweetRecord) -> bool:
        """Tell whether a tweet is among them."""
        is_in_time = self.start_unix_s <= record.made_at < self.end_unix_s
        return is_in_time and (self.before is None or record.number < self.before)


Index = dict[str, list[int]]  # places in the block by key


class Finder:
    """Evaluates queries on the archive; the newest find comes first."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._indexes: OrderedDict[Block, Index] = OrderedDict()

    async def find(self, rule: Rule, span: Span) -> AsyncIterator[tuple[Post, TweetRecord]]:
        """Yield the posts of the span that the rule finds, of edited ones the last version."""
        for block in self._archive.blocks(span.start_unix_s, span.end_unix_s):
            for found in reversed(self._found(block, rule, span)):
                yield found
            await asyncio.sleep(0)  # the streams continue meanwhile

    def _found(self, block: Block, rule: Rule, span: Span) -> list[tuple[Post, TweetRecord]]:
        if not any(map(span.holds, block.records)):
            return []
        tweets = self._archive.tweets(block)
        found = []
        for place in self._candidates(block, rule):
            record = block.records[place]
            if not span.holds(record) or not self._archive.is_latest(record):
                continue
            post = read_post(tweets[place])
            if post is not None and rule.matches(post.facts):
                found.append((post, record))
        return found

    def _candidates(self, block: Block, rule: Rule) -> list[int]:
        """Return the places of the block's posts that may match, the oldest first."""
        keys = rule.root.necessary()
        if keys is None:
            return list(range(len(block.records)))
        index = self._index(block)
        return sorted({place for key in keys for place in index.get(key, ())})

    def _index(self, block: Block) -> Index:
        if not block.is_full:
            return self._read(block)
        if block not in self._indexes:
            self._indexes[block] = self._read(block)
            if len(self._indexes) > _INDEXED_BLOCKS:
                self._indexes.popitem(last=False)
        self._indexes.move_to_end(block)
        return self._indexes[block]

    def _read(self, block: Block) -> Index:
        index: Index = {}
        for place, tweet in enumerate(self._archive.tweets(block)):
            post = read_post(tweet)
            for key in post.facts.keys if post else ():
                index.setdefault(sys.intern(key), []).append(place)  # most words stand in many blocks
        return index
