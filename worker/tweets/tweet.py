"""The parts of a tweet that matching and enrichment need, decoded from its JSON.

Only the fields named here are built; the decoder skips everything else in the line. Field names are those of
Twitter's v1.1 tweet object on a stream (compatibility format with `extended_tweet`).
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping
from types import NoneType
from typing import Any

import msgspec


class Part(msgspec.Struct, frozen=True, gc=False):
    """A part of a tweet; tuples and strings only, so the garbage collector need not visit it."""


class User(Part, frozen=True, gc=False):
    """An author."""

    id_str: str | None = None
    screen_name: str | None = None


class Tag(Part, frozen=True, gc=False):
    """A hashtag or a cashtag, without its mark."""

    text: str | None = None


class UrlEntity(Part, frozen=True, gc=False):
    """A link in the text, or of a media item."""

    expanded_url: str | None = None
    display_url: str | None = None


class Mention(Part, frozen=True, gc=False):
    """A user mentioned in the text."""

    id_str: str | None = None
    screen_name: str | None = None


class Entities(Part, frozen=True, gc=False):
    """The entities that Twitter found in a text."""

    hashtags: tuple[Tag, ...] | None = None
    symbols: tuple[Tag, ...] | None = None
    user_mentions: tuple[Mention, ...] | None = None
    urls: tuple[UrlEntity, ...] | None = None
    media: tuple[UrlEntity, ...] | None = None


class ExtendedTweet(Part, frozen=True, gc=False):
    """The full form of a tweet whose outer text is cut."""

    full_text: str | None = None
    entities: Entities | None = None
    extended_entities: Entities | None = None


class Point(Part, frozen=True, gc=False):
    """GeoJSON point: longitude, latitude."""

    coordinates: tuple[float, ...] | None = None


class Polygon(Part, frozen=True, gc=False):
    """GeoJSON polygon: rings of longitude, latitude pairs."""

    coordinates: tuple[tuple[tuple[float, ...], ...], ...] | None = None


class Place(Part, frozen=True, gc=False):
    """A region that the author named."""

    bounding_box: Polygon | None = None


NO_MEMBER = msgspec.Raw()


class Tweet(Part, frozen=True, gc=False):
    """One tweet, also one inside another (`retweeted_status`, `quoted_status`)."""

    created_at: str | None = None
    id_str: str | None = None
    text: str | None = None
    full_text: str | None = None  # instead of `text` when the extended format was requested
    truncated: bool | None = None
    in_reply_to_user_id_str: str | None = None
    user: User | None = None
    coordinates: Point | None = None
    place: Place | None = None
    retweeted_status: Tweet | None = None
    quoted_status: Tweet | None = None
    extended_tweet: ExtendedTweet | None = None
    entities: Entities | None = None
    extended_entities: Entities | None = None
    traptor: msgspec.Raw = NO_MEMBER  # present when another program enriched the tweet before us

    @property
    def has_traptor(self) -> bool:
        """True when the JSON already has a member `traptor`, whatever it holds."""
        return self.traptor is not NO_MEMBER

    @property
    def is_complete(self) -> bool:
        """True when Twitter would call it a tweet: it has an id and a text or an author."""
        return self.id_str is not None and (
            self.text is not None or self.user is not None or self.full_text is not None
        )


def tolerant(fields: Mapping[str, Any], struct: type[Part]) -> Part:
    """Build a part from decoded JSON, leaving out fields that are not of the documented type."""
    return _as_struct(fields, struct)


def well_formed(text: str) -> str:
    """Return `text` with a question mark for every half of a surrogate pair, which no encoder accepts."""
    return text.encode("utf-8", "replace").decode()


_type_hints = functools.cache(typing.get_type_hints)


def _as_struct(fields: Mapping[str, Any], struct: type[Part]) -> Part:
    hints = _type_hints(struct)
    return struct(**{name: _as_type(fields[name], hint) for name, hint in hints.items() if name in fields})


def _as_type(value: Any, hint: Any) -> Any:
    """Return `value` as `hint`, or None when it cannot be read so; ids written as numbers become strings."""
    if hint is msgspec.Raw:
        return msgspec.Raw(b"null")  # that it exists is enough
    (wanted,) = (option for option in typing.get_args(hint) if option is not NoneType)
    if typing.get_origin(wanted) is tuple:
        return _as_tuple(value, typing.get_args(wanted)[0])
    if issubclass(wanted, Part):
        return _as_struct(value, wanted) if isinstance(value, Mapping) else None
    if wanted is str and isinstance(value, (str, int)) and not isinstance(value, bool):
        return well_formed(str(value))
    return value if isinstance(value, wanted) else None


def _as_tuple(value: Any, item: Any) -> Any:
    if not isinstance(value, list):
        return None
    if isinstance(item, type) and issubclass(item, Part):
        return tuple(_as_struct(one, item) for one in value if isinstance(one, Mapping))
    try:
        # A point or ring with an invalid number says nothing about the tweet's location.
        found = msgspec.convert(value, tuple[item, ...])
    except (msgspec.ValidationError, UnicodeError):  # half a surrogate pair is no number either
        return None
    return tuple(map(well_formed, found)) if item is str else found
