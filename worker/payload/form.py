"""The objects of v1.1, with their members in the order in which it wrote them.

A member that is UNSET is left out; None is null. The large objects are made with their members in this order,
as by name that takes ten times as long; none may be forgotten, so none has a default.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

Span = tuple[int, int]


class V1(msgspec.Struct, frozen=True, gc=False):
    """An object of v1.1."""


class V1Tag(V1, frozen=True, gc=False):
    """A hashtag or symbol."""

    text: str
    indices: Span


class V1Link(V1, frozen=True, gc=False):
    """A link."""

    url: str | None
    expanded_url: str | None
    display_url: str | None
    indices: Span


class V1Mention(V1, frozen=True, gc=False):
    """A mention."""

    screen_name: str | None
    name: str | None
    id: int | None
    id_str: str | None
    indices: Span


class V1Medium(V1, frozen=True, gc=False):
    """A photo or video."""

    id: int
    id_str: str
    indices: Span
    media_url: str | None
    media_url_https: str | None
    url: str | None
    display_url: str | None
    expanded_url: str | None
    type: str | None
    sizes: dict[str, Any] | None
    video_info: dict[str, Any] | UnsetType = UNSET


class V1Entities(V1, frozen=True, gc=False):
    """The entities of a text."""

    hashtags: list[V1Tag]
    urls: list[V1Link]
    user_mentions: list[V1Mention]
    symbols: list[V1Tag]
    media: list[V1Medium] | UnsetType = UNSET


class V1Media(V1, frozen=True, gc=False):
    """All media of a text."""

    media: list[V1Medium]


class V1Extended(V1, frozen=True, gc=False):
    """The whole of a text that the tweet itself has cut."""

    full_text: str
    display_text_range: Span
    entities: V1Entities
    extended_entities: V1Media | UnsetType


class V1Point(V1, frozen=True, gc=False):
    """A point on the map."""

    type: str
    coordinates: tuple[float, float]


class V1UserId(V1, frozen=True, gc=False):
    """A user who was not paid for."""

    id: int
    id_str: str


class V1User(V1, frozen=True, gc=False):
    """A user."""

    id: int
    id_str: str
    name: str | None
    screen_name: str | None
    location: str | None
    url: str | None
    description: str | None
    protected: bool
    verified: bool
    followers_count: int | None
    friends_count: int | None
    listed_count: int | None
    favourites_count: int | None
    statuses_count: int | None
    created_at: str | None
    profile_image_url: str | None
    profile_image_url_https: str | None
    profile_banner_url: str | None
    utc_offset: None
    time_zone: None
    lang: None
    geo_enabled: None
    default_profile: None
    default_profile_image: None
    following: None
    follow_request_sent: None
    notifications: None


class V1Tweet(V1, frozen=True, gc=False):
    """A tweet."""

    created_at: str | None
    id: int
    id_str: str
    text: str | None
    truncated: bool
    display_text_range: Span | UnsetType
    extended_tweet: V1Extended | UnsetType
    source: str | None
    in_reply_to_status_id: int | None
    in_reply_to_status_id_str: str | None
    in_reply_to_user_id: int | None
    in_reply_to_user_id_str: str | None
    in_reply_to_screen_name: str | None
    user: V1User | V1UserId | None
    geo: V1Point | None
    coordinates: V1Point | None
    place: dict[str, Any] | None
    contributors: None
    retweeted_status: V1Tweet | UnsetType | None
    is_quote_status: bool
    quoted_status_id: int | UnsetType
    quoted_status_id_str: str | UnsetType
    quoted_status: V1Tweet | UnsetType | None
    quoted_status_permalink: dict[str, Any] | UnsetType | None
    quote_count: int | None
    reply_count: int | None
    retweet_count: int | None
    favorite_count: int | None
    entities: V1Entities
    extended_entities: V1Media | UnsetType
    favorited: bool
    retweeted: bool
    possibly_sensitive: bool
    filter_level: None
    lang: str | None
    timestamp_ms: str | None
    withheld_in_countries: tuple[str, ...] | UnsetType
    edit_history: dict[str, Any] | UnsetType
