"""The record of the tweets that were made, by which the collector is judged."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from itertools import islice
from typing import Any

from traptor.sandbox.clock import Instant
from traptor.sandbox.tweets.maker import Tweet
from traptor.sandbox.tweets.values import Value


@dataclass(slots=True)
class TweetRecord:
    """One tweet: when it was made, for which values, and when it was written to which connections."""

    number: int
    id: int | None
    values: tuple[Value, ...]
    form: str
    made_at: float
    made_mono: float
    connections: tuple[int, ...] = ()
    written_mono: tuple[float, ...] = ()  # in the order of `connections`
    edit_of: int | None = None  # number of the version before

    def as_json(self) -> dict[str, Any]:
        """Return the record as the API shows it."""
        return {
            "n": self.number,
            "id": None if self.id is None else str(self.id),
            "for": [value.text for value in self.values],
            "types": [value.type for value in self.values],
            "form": self.form,
            "made_at": self.made_at,
            "made_mono": self.made_mono,
            "connections": self.connections,
            "written_mono": self.written_mono,
            "edit_of": self.edit_of,
        }


class TweetLog:
    """The last `keep` tweets, and the number of tweets ever made of each type."""

    def __init__(self, keep: int) -> None:
        self._records: deque[TweetRecord] = deque(maxlen=keep)
        self.made = 0
        self.made_by_type: Counter[str] = Counter()
        self.noise = 0

    def add(self, tweet: Tweet, at: Instant, edit_of: int | None = None) -> TweetRecord:
        """Record a tweet before it is written to any connection."""
        self.made += 1
        self.made_by_type.update(value.type.value for value in tweet.values)
        self.noise += not tweet.values and not tweet.is_for_all
        record = TweetRecord(self.made, tweet.id, tweet.values, tweet.form, at.unix, at.mono, edit_of=edit_of)
        self._records.append(record)
        return record

    def since(self, number: int) -> list[TweetRecord]:
        """Return the kept tweets whose number is higher."""
        first = self.made - len(self._records)  # the number of the newest that was dropped
        return list(islice(self._records, max(number - first, 0), None))
