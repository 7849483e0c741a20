"""The facts that rules can ask about a post."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from traptor.sandbox.v2.language.geometry import Box, Point, keys_of_point
from traptor.sandbox.v2.language.words import fold, spaced, split

Names = frozenset[str]  # a user's id, and the name in lower case


@dataclass(frozen=True)
class Content:
    """The searched content of one post: its whole text and its entities, folded."""

    tokens: tuple[str, ...]
    hashtags: frozenset[str] = frozenset()
    mentions: frozenset[str] = frozenset()
    cashtags: frozenset[str] = frozenset()
    urls: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()  # of the linked pages
    descriptions: tuple[str, ...] = ()

    @cached_property
    def spaced(self) -> str:
        """The tokens as one text in which phrases are found."""
        return spaced(list(self.tokens))

    @cached_property
    def spaced_urls(self) -> tuple[str, ...]:
        """The tokens of each link."""
        return tuple(spaced(split(url)) for url in self.urls)

    @cached_property
    def keys(self) -> frozenset[str]:
        """All keys by which rules about this content are found."""
        return frozenset(
            {
                *self.tokens,
                *(f"#{tag}" for tag in self.hashtags),
                *(f"@{name}" for name in self.mentions),
                *(f"${tag}" for tag in self.cashtags),
                *(f"url:{token}" for url in self.spaced_urls for token in url.split()),
            }
        )


@dataclass(frozen=True)
class Where:
    """The geography of a post: an exact point, a place, or both."""

    point: Point | None = None
    place_box: Box | None = None
    place_id: str = ""
    place_names: tuple[str, ...] = ()
    country_code: str = ""


@dataclass(frozen=True)
class Profile:
    """The author's description of themselves, as written: few rules ask for it."""

    bio: str = ""
    name: str = ""
    location: str = ""


@dataclass(frozen=True)
class Facts:
    """Everything that the operators examine; strings are folded, ids are strings of digits."""

    post_id: str
    contents: tuple[Content, ...]  # its own (of a repost, the original's), then the quoted post's
    author: Names = frozenset()
    reply_to: Names = frozenset()
    repost_of: Names = frozenset()
    conversation_id: str = ""
    replied_id: str = ""
    reposted_id: str = ""
    has: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    lang: str = ""
    source: str = ""
    where: Where = Where()
    profile: Profile = Profile()
    counts: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def keys(self) -> frozenset[str]:
        """All keys by which the index finds rules for this post."""
        return frozenset(
            {
                *(key for content in self.contents for key in content.keys),
                *_named("from", self.author),
                *_named("to", self.reply_to),
                *_named("retweets_of", self.repost_of),
                f"conversation_id:{self.conversation_id}",
                f"in_reply_to_tweet_id:{self.replied_id}",
                f"retweets_of_tweet_id:{self.reposted_id}",
                *self._geo_keys(),
            }
        )

    def _geo_keys(self) -> Iterable[str]:
        where = self.where
        if where.country_code:
            yield f"place_country:{where.country_code}"
        if where.point is not None:
            yield from keys_of_point(where.point)
        elif where.place_box is not None:
            yield from keys_of_point(where.place_box.corners()[0])


def names(user_id: object, username: str | None) -> Names:
    """Return both ways in which a rule may name a user."""
    return frozenset(name for name in (str(user_id or ""), fold(username or "")) if name)


def _named(operator: str, users: Names) -> Iterable[str]:
    return (f"{operator}:{user}" for user in users)
