"""Packed filters: the values that a post was sent for are found by comparing it with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import msgspec

from traptor.common.filters import FollowScope
from traptor.common.rules.rule import RuleType
from traptor.worker.match.follow import FollowIndex
from traptor.worker.match.matcher import ValueMatcher
from traptor.worker.posts.head import PostHead
from traptor.worker.tweets.tweet import Tweet


class PackedFilter(msgspec.Struct, frozen=True):
    """The values of a packed filter, by their numbers."""

    numbers: frozenset[int] | range
    is_of_users: bool


def compact(numbers: Sequence[int]) -> frozenset[int] | range:
    """Return the numbers as a range, which they nearly always are: a set of ten takes 700 bytes."""
    run = range(numbers[0], numbers[0] + len(numbers)) if numbers else range(0)
    return run if list(run) == list(numbers) else frozenset(numbers)


class PackedValue(msgspec.Struct, frozen=True):
    """A value in the form of rules, with what it is compared by."""

    kind: RuleType
    text: str
    scope: FollowScope = FollowScope.FULL


_Users = dict[str | None, tuple[int, ...]]  # posts may have no author; it is asked for None then


class PackedValues:
    """Finds values in posts, by the numbers given to the values."""

    def __init__(self, values: Iterable[PackedValue]) -> None:
        """Take the values in the order of their numbers."""
        track, locations = dict[str, tuple[int, ...]](), dict[str, tuple[int, ...]]()
        self._authors: _Users = {}
        self._answered = self._reposted = self._authors
        for number, value in enumerate(values):
            if value.kind is RuleType.FOLLOW:
                self._add_user(value, number)
            else:
                by_text = track if value.kind is RuleType.TRACK else locations
                by_text[value.text] = (*by_text.get(value.text, ()), number)
        self._texts = ValueMatcher(track, {}, locations)
        self._mentioned = FollowIndex(cast(dict[str, tuple[int, ...]], self._reposted))

    def _add_user(self, value: PackedValue, number: int) -> None:
        if value.scope is not FollowScope.FULL and self._reposted is self._authors:
            # Until here all were FULL, as nearly always, and one dictionary did for all three.
            self._answered, self._reposted = dict(self._authors), dict(self._authors)
        wanted = [self._authors]
        if self._reposted is not self._authors:
            wanted += [self._answered] if value.scope is not FollowScope.AUTHOR else []
            wanted += [self._reposted] if value.scope is FollowScope.FULL else []
        for users in wanted:
            users[value.text] = (*users.get(value.text, ()), number)

    def users(self, head: PostHead) -> tuple[int, ...]:
        """Return the followed users who wrote the post, are answered by it, or are reposted in it."""
        post = head.data
        assert post is not None
        found = self._authors.get(post.author_id, ())
        if post.in_reply_to_user_id is not None:
            found += self._answered.get(post.in_reply_to_user_id, ())
        if post.referenced_tweets is not None or post.referenced_posts is not None:
            found += self._reposted.get(head.reposted_author, ())
        return found

    def texts(self, tweet: Tweet) -> list[int]:
        """Return the values of track and locations that match a post by the documented semantics."""
        return self._texts.match(tweet)

    def wider(self, tweet: Tweet) -> set[int]:
        """Return the values found by the wider interpretation, for posts in which there is none otherwise."""
        return self._mentioned.infer(tweet) | set(self._texts.infer(tweet))
