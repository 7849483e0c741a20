"""Part a page of found posts into lines such as the stream brings: each post with its own includes.

Facts: X, "Search posts" (openapi 2.167): `data` is a list, `includes` holds the objects of all posts on the
page, each once, and `meta.next_token` leads to the next page. A page without posts has no `data`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from traptor.worker.fills.deep import without_deep
from traptor.worker.posts.head import Mentioned

_MOST_TOKEN_CHARS: Final = 4096  # X's have some 60; a request's target has room for no more


_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Meta(msgspec.Struct):
    """Where the next page is."""

    next_token: str | None = None


class _Includes(msgspec.Struct):
    tweets: list[msgspec.Raw] = []
    posts: list[msgspec.Raw] = []
    users: list[msgspec.Raw] = []
    places: list[msgspec.Raw] = []
    media: list[msgspec.Raw] = []
    polls: list[msgspec.Raw] = []


class _Page(msgspec.Struct):
    data: list[msgspec.Raw] = []
    includes: _Includes = msgspec.field(default_factory=_Includes)
    meta: Meta = msgspec.field(default_factory=Meta)


class _Geo(msgspec.Struct):
    place_id: str | None = None


class _Attachments(msgspec.Struct):
    media_keys: list[str] = []
    poll_ids: list[str] = []


class _Mentions(msgspec.Struct):
    mentions: list[Mentioned] = []


class _Named(msgspec.Struct):
    """The objects that a post names."""

    id: str | None = None
    author_id: str | None = None
    in_reply_to_user_id: str | None = None
    referenced_tweets: list[Mentioned] = []
    referenced_posts: list[Mentioned] = []
    geo: _Geo = msgspec.field(default_factory=_Geo)
    attachments: _Attachments = msgspec.field(default_factory=_Attachments)
    entities: _Mentions = msgspec.field(default_factory=_Mentions)

    def references(self) -> Iterator[str]:
        for one in (*self.referenced_tweets, *self.referenced_posts):
            if one.id is not None:
                yield one.id

    def others(self) -> Iterator[str]:
        """Yield the ids of users, places, media and polls."""
        users = (self.author_id, self.in_reply_to_user_id, *(one.id for one in self.entities.mentions))
        yield from filter(None, (*users, self.geo.place_id))
        yield from self.attachments.media_keys
        yield from self.attachments.poll_ids


class _Keyed(msgspec.Struct):
    id: str | None = None
    media_key: str | None = None


_decode_page = msgspec.json.Decoder(_Page).decode
_decode_named = msgspec.json.Decoder(_Named).decode
_decode_keyed = msgspec.json.Decoder(_Keyed).decode


class FoundPage(msgspec.Struct, frozen=True):
    """The posts of a page as lines, and what X bills for it."""

    lines: tuple[bytes, ...]
    ids: tuple[str | None, ...]
    next_token: str
    included_posts: tuple[str | None, ...]
    included_users: int


def read_page(body: bytes, token: str = "") -> FoundPage:
    """Return the posts of a search's answer, to which `token` led. Raises ValueError where it is none.

    A post that cannot be read is a line too, and is counted as broken where it is taken. An object of the
    includes that cannot be read is left out.
    """
    try:
        page = _page_of(body)
    except _UNREADABLE as error:
        raise ValueError(f"no page of posts: {type(error).__name__}") from None
    if page.data and not any(bytes(one).startswith(b"{") for one in page.data):
        raise ValueError("a list without an object: no page of posts")
    objects = _Objects(page.includes)
    lines = tuple([objects.line(one) for one in page.data])
    ids, included = _ids(page.data), _ids((*page.includes.tweets, *page.includes.posts))
    if len(page.meta.next_token or "") > _MOST_TOKEN_CHARS:
        raise ValueError("a token of a next page that is too long: no page of posts")
    if token and page.meta.next_token == token:
        raise ValueError("a page that leads to itself: no page of posts")
    return FoundPage(lines, ids, page.meta.next_token or "", included, len(page.includes.users))


def _page_of(body: bytes) -> _Page:
    try:
        return _decode_page(body)
    except RecursionError:  # one post spoils the whole
        return _decode_page(without_deep(body))


class _Objects:
    """The objects of a page's includes, by their ids."""

    def __init__(self, includes: _Includes) -> None:
        self._posts = _by_id((*includes.tweets, *includes.posts))
        self._posts_name = "tweets" if includes.tweets else "posts"
        kinds = ("users", "places", "media", "polls")
        self._others = {kind: _by_id(getattr(includes, kind)) for kind in kinds}
        self._is_empty = not self._posts and not any(self._others.values())

    def line(self, raw: msgspec.Raw) -> bytes:
        """Return a post as a line of a stream."""
        if self._is_empty:
            return b'{"data":%b}' % bytes(raw)
        named = _named(raw)
        posts = [one for one in named.references() if one in self._posts]
        wanted = set(named.others())
        for one in posts:
            wanted.update(_named(self._posts[one]).others())
        found: dict[str, list[msgspec.Raw]] = {}
        for kind, objects in self._others.items():
            found[kind] = [objects[key] for key in objects if key in wanted]
        found[self._posts_name] = [self._posts[one] for one in posts]
        members = {kind: objects for kind, objects in found.items() if objects}
        if not members:
            return b'{"data":%b}' % bytes(raw)
        return b'{"data":%b,"includes":%b}' % (bytes(raw), msgspec.json.encode(members))


def _named(raw: msgspec.Raw) -> _Named:
    try:
        return _decode_named(raw)
    except _UNREADABLE:
        return _Named()


def _keyed(raw: msgspec.Raw) -> _Keyed:
    try:
        return _decode_keyed(raw)
    except _UNREADABLE:
        return _Keyed()


def _ids(objects: Iterable[msgspec.Raw]) -> tuple[str | None, ...]:
    return tuple([_keyed(one).id for one in objects])


def _by_id(objects: Iterable[msgspec.Raw]) -> dict[str, msgspec.Raw]:
    found: dict[str, msgspec.Raw] = {}
    for one in objects:
        keyed = _keyed(one)
        key = keyed.media_key or keyed.id
        if key is not None:
            found[key] = one
    return found
