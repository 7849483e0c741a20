"""Attribute a tweet to the rules of a connection that it was sent for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from traptor.common.rules.rule import Rule, RuleType
from traptor.worker.match.follow import FollowIndex
from traptor.worker.match.locations import LocationsIndex
from traptor.worker.match.searched import authors_of, searched_of
from traptor.worker.match.substrings import SubstringIndex
from traptor.worker.match.tokens import fold
from traptor.worker.match.track import TrackIndex
from traptor.worker.tweets.tweet import Tweet

Numbered = Mapping[str, tuple[int, ...]]


class ValueMatcher:
    """Finds the values that a tweet matches, and returns the numbers given to them."""

    def __init__(self, track: Numbered, follow: Numbered, locations: Numbered) -> None:
        track = _folded(track)
        self._track = TrackIndex(track) if track else None
        self._substrings = SubstringIndex(track) if track else None
        self._follow = FollowIndex(dict(follow)) if follow else None
        self._locations = LocationsIndex(locations) if locations else None

    def match(self, tweet: Tweet) -> list[int]:
        """Return the numbers of all values that match by Twitter's documented semantics, ascending."""
        if self._track is None:
            found: set[int] = set()
        else:
            found = self._track.match(*searched_of(tweet))
        if self._follow is not None:
            found |= self._follow.match(tweet)
        if self._locations is not None:
            found |= self._locations.match(tweet)
        return sorted(found)

    def infer(self, tweet: Tweet) -> list[int]:
        """Return the numbers of the values found by the original's wider interpretation, ascending.

        For tweets in which `match` finds none.
        """
        found: set[int] = set()
        if self._substrings is not None:
            text, tags = searched_of(tweet)
            found |= self._substrings.match(fold("\n".join((text, *tags, authors_of(tweet)))))
        if self._follow is not None:
            found |= self._follow.infer(tweet)
        return sorted(found)


class Matcher(ValueMatcher):
    """Attributes tweets to rules, of one type or of several; the numbers are the rules' indexes."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        super().__init__(
            _rules_by_value(rules, RuleType.TRACK),
            _rules_by_value(rules, RuleType.FOLLOW),
            _rules_by_value(rules, RuleType.LOCATIONS),
        )


def _rules_by_value(rules: Sequence[Rule], rule_type: RuleType) -> dict[str, tuple[int, ...]]:
    by_value: dict[str, tuple[int, ...]] = {}
    for number, rule in enumerate(rules):
        if rule.group.type is rule_type:
            for value in rule.values:
                by_value[value] = (*by_value.get(value, ()), number)
    return by_value


def _folded(by_value: Numbered) -> Numbered:
    """Fold the phrases; a phrase that folds to nothing is dropped, as no tweet can be said to contain it."""
    by_phrase: dict[str, tuple[int, ...]] = {}
    for value, numbers in by_value.items():
        phrase = " ".join(fold(value).split())
        if phrase:
            by_phrase[phrase] = (*by_phrase.get(phrase, ()), *numbers)
    return by_phrase
