"""A packed filter of followed users: who wrote a post, is answered or reposted by it tells its rules."""

from __future__ import annotations

import msgspec

from traptor.common.filters import FollowScope
from traptor.worker.filters.attribution import Attribution
from traptor.worker.match.follow import users_around
from traptor.worker.posts.head import PostHead
from traptor.worker.tweets.tweet import Tweet

_Users = dict[str | None, Attribution]  # posts may have no author; it is asked for None then


class FollowedUsers(msgspec.Struct, frozen=True):
    """The users of one filter, in its order, by what their posts are wanted for."""

    authors: _Users
    answered: _Users
    reposted: _Users

    @classmethod
    def of(cls, users: dict[str | None, Attribution], scopes: tuple[FollowScope, ...]) -> FollowedUsers:
        """Return the users with their scopes; none: all are FULL, as nearly always."""
        if all(scope is FollowScope.FULL for scope in scopes):
            return cls(users, users, users)
        scoped = [*zip(users.items(), scopes, strict=True)]
        return cls(
            users,
            dict(user for user, scope in scoped if scope is not FollowScope.AUTHOR),
            dict(user for user, scope in scoped if scope is FollowScope.FULL),
        )

    def sole(self, head: PostHead) -> Attribution | None:
        """Return what the one user gives who is found in a post; None where there is none, or several."""
        post = head.data
        assert post is not None
        found = self.authors.get(post.author_id)
        if post.in_reply_to_user_id is not None:
            also = self.answered.get(post.in_reply_to_user_id)
            if also is not None and also is not found:
                if found is not None:
                    return None
                found = also
        if post.referenced_tweets is not None or post.referenced_posts is not None:
            also = self.reposted.get(head.reposted_author)
            if also is not None and also is not found:
                return None if found is not None else also
        return found

    def found(self, head: PostHead) -> list[Attribution]:
        """Return what the users give who are found in a post, in the filter's order."""
        post = head.data
        assert post is not None
        reposted = head.reposted_author
        return [
            attribution
            for user, attribution in self.authors.items()
            if user == post.author_id
            or (user == post.in_reply_to_user_id and user in self.answered)
            or (user == reposted and user in self.reposted)
        ]

    def wider(self, tweet: Tweet) -> list[Attribution]:
        """Return what the users give whom the wider interpretation finds, in the filter's order."""
        around = set(users_around(tweet))
        return [attribution for user, attribution in self.reposted.items() if user in around]
