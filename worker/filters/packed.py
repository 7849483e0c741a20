"""Packed filters: the values that a post was sent for are found by comparing it with them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from traptor.common.rules.rule import RuleType
from traptor.worker.match.matcher import ValueMatcher
from traptor.worker.posts.astweet import tweet_of
from traptor.worker.posts.head import PostHead
from traptor.worker.posts.postline import whole_post


class PackedFilter(msgspec.Struct, frozen=True):
    """The values of a packed filter, by their numbers."""

    numbers: frozenset[int]
    is_of_users: bool


class PackedValues:
    """Finds values in posts, by the numbers given to the values."""

    def __init__(self, values: Iterable[tuple[RuleType, str, int]]) -> None:
        """Take the values in the form of rules, with their types and numbers."""
        by_type: dict[RuleType, dict[str, tuple[int, ...]]] = {kind: {} for kind in RuleType}
        for kind, value, number in values:
            by_type[kind][value] = (*by_type[kind].get(value, ()), number)
        self._users: dict[str | None, tuple[int, ...]] = dict(by_type[RuleType.FOLLOW].items())
        self._matcher = ValueMatcher(
            by_type[RuleType.TRACK], by_type[RuleType.FOLLOW], by_type[RuleType.LOCATIONS]
        )

    def users(self, head: PostHead) -> list[int]:
        """Return the followed users who wrote the post, are answered by it, or are reposted in it."""
        users, post = self._users, head.data
        assert post is not None
        found = list(users.get(post.author_id, ()))
        if post.in_reply_to_user_id is not None:
            found += users.get(post.in_reply_to_user_id, ())
        if post.referenced_tweets is not None or post.referenced_posts is not None:
            found += users.get(head.reposted_author, ())
        return found

    def documented(self, raw: bytes) -> list[int]:
        """Return the values of all types that match a post's line by the documented semantics."""
        return self._matcher.match(tweet_of(whole_post(raw)))

    def wider(self, raw: bytes) -> list[int]:
        """Return the values found by the wider interpretation, for posts in which `documented` has none."""
        return self._matcher.infer(tweet_of(whole_post(raw)))
