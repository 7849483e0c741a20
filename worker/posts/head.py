"""The few members of a post's line that every post needs: what most posts are handled by.

Text and entities are decoded (`post.py`) only for posts whose text must be compared with values.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from traptor.worker.posts.post import NamedFilter, Reference
from traptor.worker.tweets.tweet import NO_MEMBER, Part


class Mentioned(Part, frozen=True, gc=False):
    """A user mentioned in the text."""

    id: str | None = None


class Mentions(Part, frozen=True, gc=False):
    """The users mentioned in the text, in their order."""

    mentions: tuple[Mentioned, ...] | None = None


class HeadPost(Part, frozen=True, gc=False):
    """One post: the line's own, or one in its includes.

    Members stand in the order of X's samples: the decoder looks first for the one after the last it found.
    """

    id: str | None = None
    author_id: str | None = None
    created_at: str | None = None
    edit_history_tweet_ids: tuple[str, ...] | None = None
    in_reply_to_user_id: str | None = None
    entities: Mentions | None = None
    referenced_tweets: tuple[Reference, ...] | None = None
    referenced_posts: tuple[Reference, ...] | None = None
    edit_history_post_ids: tuple[str, ...] | None = None


def edits_of(posts: Sequence[HeadPost]) -> list[str | None]:
    """Return the id of each edited post's first version; None: it is the first one, or X does not tell."""
    return [
        versions[0]
        if (versions := post.edit_history_tweet_ids or post.edit_history_post_ids) and versions[0] != post.id
        else None
        for post in posts
    ]


class HeadIncludes(Part, frozen=True, gc=False):
    """The objects that a post was expanded with, as far as X bills them."""

    tweets: tuple[HeadPost, ...] | None = None
    posts: tuple[HeadPost, ...] | None = None
    users: tuple[Mentioned, ...] | None = None

    @property
    def all_posts(self) -> tuple[HeadPost, ...]:
        """The posts, by whichever name X gave them."""
        return self.tweets or self.posts or ()


class PostHead(Part, frozen=True, gc=False):
    """One line of the stream, if `data` is a post."""

    data: HeadPost | None = None
    includes: HeadIncludes | None = None
    matching_rules: tuple[NamedFilter, ...] | None = None
    errors: msgspec.Raw = NO_MEMBER
    traptor: msgspec.Raw = NO_MEMBER  # present when another program enriched the post before us

    @property
    def is_post(self) -> bool:
        """True when the line is a post, whatever else it holds."""
        return self.data is not None and self.data.id is not None

    @property
    def post(self) -> HeadPost:
        """The line's own post, which `is_post` must have promised."""
        assert self.data is not None
        return self.data

    @property
    def has_traptor(self) -> bool:
        """True when the JSON already has a member `traptor`, whatever it holds."""
        return self.traptor is not NO_MEMBER

    @property
    def created_at(self) -> str | None:
        """The post's time as X wrote it."""
        return self.data.created_at if self.data is not None else None

    @property
    def included_posts(self) -> tuple[HeadPost, ...]:
        """The posts in the includes."""
        return () if self.includes is None else self.includes.all_posts

    def reposted_author(self) -> str | None:
        """Return the user whose post it reposts, whom it mentions first; None: it reposts nobody's."""
        post = self.data
        assert post is not None
        for one in post.referenced_tweets or post.referenced_posts or ():
            if one.type == "retweeted":
                break
        else:
            return None
        if one.id is None:
            return None
        if self.includes is not None:
            for included in self.included_posts:
                if included.id == one.id and included.author_id is not None:
                    return included.author_id
        mentions = post.entities.mentions if post.entities is not None else None
        return mentions[0].id if mentions else None
