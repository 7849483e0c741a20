"""Followed users of packed filters: who wrote a post, is answered or reposted by it tells its rules."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from traptor.common.filters import FollowScope
from traptor.worker.filters.attribution import Attribution
from traptor.worker.match.follow import users_around
from traptor.worker.posts.head import PostHead
from traptor.worker.tweets.tweet import Tweet

# By name, as a member of an enum is found by a call in Python 3.11.
_AUTHOR, _FULL = FollowScope.AUTHOR, FollowScope.FULL


class FollowedUser(Attribution, gc=False, eq=False):
    """A user of one filter, and the rules that the user's posts are sent for."""

    user: str = ""
    filter_id: str = ""
    scope: FollowScope = _FULL
    other: FollowedUser | None = None
    """The same user in another filter."""

    def of(self, filter_id: str | None) -> FollowedUser | None:
        """Return the same user as one of this filter."""
        one: FollowedUser | None = self
        while one is not None and one.filter_id != filter_id:
            one = one.other
        return one


class FollowFilter(msgspec.Struct, frozen=True):
    """The users of one filter who have rules, in its order."""

    users: tuple[FollowedUser, ...]

    def found(self, head: PostHead) -> list[FollowedUser]:
        """Return the users who are found in a post, in the filter's order."""
        post, reposted = head.post, head.reposted_author()
        return [
            one
            for one in self.users
            if one.user == post.author_id
            or (one.user == post.in_reply_to_user_id and one.scope is not _AUTHOR)
            or (one.user == reposted and one.scope is _FULL)
        ]

    def wider(self, tweet: Tweet) -> list[FollowedUser]:
        """Return the users whom the wider interpretation finds, in the filter's order."""
        around = set(users_around(tweet))
        return [one for one in self.users if one.scope is _FULL and one.user in around]


class FollowedUsers:
    """The users of many filters in one dictionary: what lies apart in memory takes longer than to compare."""

    def __init__(self, filters: Iterable[FollowFilter]) -> None:
        self._users: dict[str | None, FollowedUser] = {}  # posts may have no author
        for one in filters:
            for user in one.users:
                user.other = self._users.get(user.user)
                self._users[user.user] = user

    def sole(self, head: PostHead, filter_id: str | None) -> FollowedUser | None:
        """Return the one user of a filter who is found in a post; None: there is none, or are several."""
        post = head.data
        assert post is not None
        users = self._users
        found = users.get(post.author_id)
        if found is not None and found.filter_id != filter_id:
            found = found.of(filter_id)
        answered = post.in_reply_to_user_id
        if answered is not None and (also := users.get(answered)) is not None:
            if also.filter_id != filter_id:
                also = also.of(filter_id)
            if also is not None and also is not found and also.scope is not _AUTHOR:
                if found is not None:
                    return None
                found = also
        if post.referenced_tweets is not None or post.referenced_posts is not None:
            reposted = head.reposted_author()
            if reposted is not None and (also := users.get(reposted)) is not None:
                if also.filter_id != filter_id:
                    also = also.of(filter_id)
                if also is not None and also is not found and also.scope is _FULL:
                    return None if found is not None else also
        return found
