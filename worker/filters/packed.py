"""Packed filters of texts and places: the values that a post was sent for are found by comparing it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from traptor.common.rules.rule import RuleType
from traptor.worker.match.matcher import ValueMatcher
from traptor.worker.tweets.tweet import Tweet


class PackedFilter(msgspec.Struct, frozen=True):
    """The values of a packed filter, by their numbers."""

    numbers: frozenset[int] | range


def compact(numbers: Sequence[int]) -> frozenset[int] | range:
    """Return the numbers as a range, which they nearly always are: a set of ten takes 700 bytes."""
    run = range(numbers[0], numbers[0] + len(numbers)) if numbers else range(0)
    return run if list(run) == list(numbers) else frozenset(numbers)


class PackedValue(msgspec.Struct, frozen=True):
    """A value in the form of rules."""

    kind: RuleType
    text: str


class PackedValues:
    """Finds values in posts, by the numbers given to the values."""

    def __init__(self, values: Iterable[PackedValue]) -> None:
        """Take the values in the order of their numbers."""
        track, locations = dict[str, tuple[int, ...]](), dict[str, tuple[int, ...]]()
        for number, value in enumerate(values):
            by_text = track if value.kind is RuleType.TRACK else locations
            by_text[value.text] = (*by_text.get(value.text, ()), number)
        self._texts = ValueMatcher(track, {}, locations)

    def found(self, tweet: Tweet) -> list[int]:
        """Return the values that match a post by the documented semantics."""
        return self._texts.match(tweet)

    def wider(self, tweet: Tweet) -> list[int]:
        """Return the values found by the wider interpretation, for posts in which there is none otherwise."""
        return self._texts.infer(tweet)
