"""Follow rules: deliver tweets by a user, replies to them, and retweets of them.

Cases and fields follow Twitter, "Standard stream parameters", `follow`.
"""

from __future__ import annotations

from collections.abc import Iterator

from traptor.worker.tweets.tweet import Entities, Tweet


class FollowIndex:
    """Finds the follow rules that a tweet matches."""

    def __init__(self, users: dict[str, tuple[int, ...]]) -> None:
        """Take numeric user ids, each with the indexes of its rules, and keep the dictionary."""
        self._users = users

    def match(self, tweet: Tweet) -> set[int]:
        """Return the rules whose user wrote or retweeted it, is answered by it, or wrote what it retweets."""
        found: set[int] = set()
        user, retweeted = tweet.user, tweet.retweeted_status
        if user is not None and user.id_str in self._users:
            found.update(self._users[user.id_str])
        if tweet.in_reply_to_user_id_str in self._users:
            found.update(self._users[tweet.in_reply_to_user_id_str])
        if retweeted is not None and retweeted.user is not None and retweeted.user.id_str in self._users:
            found.update(self._users[retweeted.user.id_str])
        return found

    def infer(self, tweet: Tweet) -> set[int]:
        """Return the rules whose user is quoted or named in the tweet, or in what it retweets or quotes."""
        return {rule for user_id in users_around(tweet) for rule in self._users.get(user_id or "", ())}


def users_around(tweet: Tweet) -> Iterator[str | None]:
    """Yield the users who are quoted or named in the tweet, or in what it retweets or quotes."""
    retweeted = tweet.retweeted_status
    quoted = tweet.quoted_status or (retweeted.quoted_status if retweeted is not None else None)
    if quoted is not None and quoted.user is not None:
        yield quoted.user.id_str
    for status in (tweet, retweeted, quoted):
        if status is not None:
            yield from _mentioned(status.entities)
            if status.extended_tweet is not None:
                yield from _mentioned(status.extended_tweet.entities)


def _mentioned(entities: Entities | None) -> Iterator[str | None]:
    if entities is not None:
        for mention in entities.user_mentions or ():
            yield mention.id_str
