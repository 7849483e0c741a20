"""The members of a post's line that its v1.1 form is made of, decoded from its JSON.

They come on top of those that every post needs (`worker/posts/head.py`), so that a line is decoded once. What
v1.1 had in the same form is kept as it came (`Raw`).
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw

from traptor.worker.posts.head import HeadIncludes, HeadPost, Mentioned, Mentions, PostHead

NULL: Final = Raw(b"null")
FALSE: Final = Raw(b"false")


class Source(msgspec.Struct, frozen=True, gc=False):
    """An object of X API v2; what it lacks is null or None."""


class Marked(Source, frozen=True, gc=False):
    """A hashtag or a cashtag in a text."""

    start: int
    end: int
    tag: Raw


class Named(Mentioned, frozen=True, gc=False, kw_only=True):
    """A mention of a user in a text."""

    start: int
    end: int
    username: Raw = NULL


class Linked(Source, frozen=True, gc=False):
    """A link in a text; one with a media key shows a photo or video."""

    start: int
    end: int
    url: Raw = NULL
    expanded_url: Raw = NULL
    display_url: Raw = NULL
    media_key: str | None = None


class FoundInText(Mentions, frozen=True, gc=False):
    """The entities of a text."""

    hashtags: tuple[Marked, ...] = ()
    cashtags: tuple[Marked, ...] = ()
    mentions: tuple[Named, ...] = ()
    urls: tuple[Linked, ...] = ()


NOTHING_FOUND: Final = FoundInText()


class LongText(Source, frozen=True, gc=False):
    """The whole text of a post of more than 280 characters."""

    text: str
    entities: FoundInText = NOTHING_FOUND


class PostCounts(Source, frozen=True, gc=False):
    """The counts of a post."""

    retweet_count: int | None = None
    reply_count: int | None = None
    like_count: int | None = None
    quote_count: int | None = None


class UserCounts(Source, frozen=True, gc=False):
    """The counts of a user."""

    followers_count: int | None = None
    following_count: int | None = None
    tweet_count: int | None = None
    listed_count: int | None = None
    like_count: int | None = None


class Coordinates(Source, frozen=True, gc=False):
    """A point: longitude, latitude."""

    coordinates: tuple[Raw, Raw]


class SentFrom(Source, frozen=True, gc=False):
    """Where a post was sent from."""

    place_id: str | None = None
    coordinates: Coordinates | None = None


class Withheld(Source, frozen=True, gc=False):
    """Where a post is not shown."""

    country_codes: Raw = Raw(b"[]")


class SourcePost(HeadPost, frozen=True, gc=False):
    """A post."""

    text: Raw = NULL
    lang: Raw = NULL
    possibly_sensitive: Raw = FALSE
    source: Raw = NULL
    display_text_range: Raw = NULL
    entities: FoundInText = NOTHING_FOUND
    note_tweet: LongText | None = None
    note_post: LongText | None = None
    geo: SentFrom | None = None
    public_metrics: PostCounts = PostCounts()
    withheld: Withheld | None = None


class SourceUser(Mentioned, frozen=True, gc=False):
    """A user in the includes."""

    name: Raw = NULL
    username: Raw = NULL
    created_at: str | None = None
    location: Raw = NULL
    url: Raw = NULL
    description: Raw = NULL
    protected: Raw = FALSE
    verified: Raw = FALSE
    profile_image_url: Raw = NULL
    profile_banner_url: Raw = NULL
    public_metrics: UserCounts = UserCounts()


class Variant(Source, frozen=True, gc=False):
    """One encoding of a video."""

    bit_rate: Raw = NULL
    content_type: Raw = NULL
    url: Raw = NULL


class SourceMedium(Source, frozen=True, gc=False):
    """A photo or video in the includes."""

    media_key: str
    type: Raw = NULL
    url: Raw = NULL
    preview_image_url: Raw = NULL
    width: int | None = None
    height: int | None = None
    duration_ms: Raw = NULL
    variants: tuple[Variant, ...] = ()


class Outline(Source, frozen=True, gc=False):
    """The rectangle around a place: west, south, east, north."""

    bbox: tuple[Raw, Raw, Raw, Raw] | None = None


class SourcePlace(Source, frozen=True, gc=False):
    """A place in the includes."""

    id: str
    full_name: Raw = NULL
    name: Raw = NULL
    country: Raw = NULL
    country_code: Raw = NULL
    place_type: Raw = NULL
    geo: Outline | None = None


class SourceIncludes(HeadIncludes, frozen=True, gc=False):
    """The objects that the post was expanded with."""

    tweets: tuple[SourcePost, ...] = ()
    posts: tuple[SourcePost, ...] = ()
    users: tuple[SourceUser, ...] = ()
    media: tuple[SourceMedium, ...] = ()
    places: tuple[SourcePlace, ...] = ()

    def post(self, post_id: str | None) -> SourcePost | None:
        """Return a post by its id."""
        for one in self.tweets or self.posts:
            if one.id == post_id:
                return one
        return None

    def user(self, user_id: str | None) -> SourceUser | None:
        """Return a user by id."""
        for one in self.users:
            if one.id == user_id:
                return one
        return None

    def medium(self, media_key: str) -> SourceMedium:
        """Return a photo or video by its key; an empty one where it is not included."""
        for one in self.media:
            if one.media_key == media_key:
                return one
        return SourceMedium(media_key)

    def place(self, place_id: str | None) -> SourcePlace | None:
        """Return a place by its id."""
        return next((one for one in self.places if one.id == place_id), None)


NOTHING_INCLUDED: Final = SourceIncludes()


class SourceLine(PostHead, frozen=True, gc=False):
    """A line of the stream, if `data` is a post."""

    data: SourcePost | None = None
    includes: SourceIncludes | None = None


class SourceAlone(Source, frozen=True, gc=False):
    """The parts of a line that a tweet is made of, whatever its other members hold."""

    data: SourcePost
    includes: SourceIncludes | None = None


decode_source: Final = msgspec.json.Decoder(SourceLine).decode
decode_alone: Final = msgspec.json.Decoder(SourceAlone).decode
