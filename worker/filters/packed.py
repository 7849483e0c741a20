"""Packed filters: the values that a post was sent for are found by comparing it with them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from traptor.common.rules.rule import RuleType
from traptor.worker.match.matcher import ValueMatcher
from traptor.worker.posts.astweet import reposted_author, tweet_of
from traptor.worker.posts.post import PostLine

_ONLY_FOLLOW = {RuleType.FOLLOW}


class PackedValues:
    """Finds values in posts, by the numbers given to the values."""

    def __init__(self, values: Iterable[tuple[RuleType, str, int]]) -> None:
        """Take the values in the form of rules, with their types and numbers."""
        by_type: dict[RuleType, dict[str, tuple[int, ...]]] = {kind: {} for kind in RuleType}
        for kind, value, number in values:
            by_type[kind][value] = (*by_type[kind].get(value, ()), number)
        track, follow, locations = map(
            by_type.__getitem__, (RuleType.TRACK, RuleType.FOLLOW, RuleType.LOCATIONS)
        )
        self._users = follow
        self._matcher = ValueMatcher(track, follow, locations)

    def documented(self, line: PostLine, kinds: Collection[RuleType]) -> set[int]:
        """Return the values of these types that match by the documented semantics, and maybe others."""
        return self._by_users(line) if kinds == _ONLY_FOLLOW else set(self._matcher.match(tweet_of(line)))

    def wider(self, line: PostLine) -> set[int]:
        """Return the values found by the wider interpretation, for posts in which `documented` has none."""
        return set(self._matcher.infer(tweet_of(line)))

    def _by_users(self, line: PostLine) -> set[int]:
        """Return the followed users who wrote the post, are answered by it, or are reposted in it."""
        users, post = self._users, line.post
        found: set[int] = set()
        if post.author_id in users:
            found.update(users[post.author_id])
        if post.in_reply_to_user_id in users:
            found.update(users[post.in_reply_to_user_id])
        if post.referenced_tweets or post.referenced_posts:
            author = reposted_author(line)
            if author in users:
                found.update(users[author])
        return found
