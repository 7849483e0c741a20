"""The parts of a post's line that its text is matched by, decoded from its JSON.

Only the fields named here are built; the decoder skips everything else. Names are those of X API v2; X is
renaming tweets to posts, so both spellings of a member are read.
"""

from __future__ import annotations

from traptor.worker.tweets.tweet import Part, Point


class XHashtag(Part, frozen=True, gc=False):
    """A hashtag or a cashtag, without its mark."""

    tag: str | None = None


class XMention(Part, frozen=True, gc=False):
    """A user mentioned in the text."""

    id: str | None = None
    username: str | None = None


class XLink(Part, frozen=True, gc=False):
    """A link in the text; `unwound_url` is where it leads at last."""

    expanded_url: str | None = None
    display_url: str | None = None
    unwound_url: str | None = None


class XEntities(Part, frozen=True, gc=False):
    """The entities that X found in a text."""

    hashtags: tuple[XHashtag, ...] | None = None
    cashtags: tuple[XHashtag, ...] | None = None
    mentions: tuple[XMention, ...] | None = None
    urls: tuple[XLink, ...] | None = None


class Note(Part, frozen=True, gc=False):
    """The whole text of a post of more than 280 characters."""

    text: str | None = None
    entities: XEntities | None = None


class Reference(Part, frozen=True, gc=False):
    """A post that another one replies to, reposts or quotes."""

    type: str | None = None
    id: str | None = None


class Geo(Part, frozen=True, gc=False):
    """Where a post was sent from."""

    place_id: str | None = None
    coordinates: Point | None = None


class Post(Part, frozen=True, gc=False):
    """One post: the line's own, or one in its includes."""

    id: str | None = None
    text: str | None = None
    author_id: str | None = None
    in_reply_to_user_id: str | None = None
    referenced_tweets: tuple[Reference, ...] | None = None
    referenced_posts: tuple[Reference, ...] | None = None
    entities: XEntities | None = None
    note_tweet: Note | None = None
    note_post: Note | None = None
    geo: Geo | None = None

    @property
    def note(self) -> Note | None:
        """Its whole text, when `text` has only the beginning."""
        return self.note_tweet or self.note_post

    def referenced(self, kind: str) -> str | None:
        """Return the id of the post that it reposted, quoted or replied_to."""
        for one in self.referenced_tweets or self.referenced_posts or ():
            if one.type == kind:
                return one.id
        return None


class XUser(Part, frozen=True, gc=False):
    """An author or a mentioned user in the includes."""

    id: str | None = None
    username: str | None = None


class PlaceShape(Part, frozen=True, gc=False):
    """The rectangle around a place: west, south, east, north."""

    bbox: tuple[float, ...] | None = None


class XPlace(Part, frozen=True, gc=False):
    """A place in the includes."""

    id: str | None = None
    geo: PlaceShape | None = None


class Includes(Part, frozen=True, gc=False):
    """The objects that a post was expanded with."""

    tweets: tuple[Post, ...] | None = None
    posts: tuple[Post, ...] | None = None
    users: tuple[XUser, ...] | None = None
    places: tuple[XPlace, ...] | None = None


class NamedFilter(Part, frozen=True, gc=False):
    """A filter that found the post."""

    id: str | None = None


class PostLine(Part, frozen=True, gc=False):
    """One line of the stream, of which `data` is a post."""

    data: Post | None = None
    includes: Includes | None = None

    @property
    def post(self) -> Post:
        """The line's own post."""
        assert self.data is not None
        return self.data

    def included_post(self, post_id: str | None) -> Post | None:
        """Return the post of that id in the includes."""
        includes = self.includes
        if post_id is None or includes is None:
            return None
        return next((one for one in includes.tweets or includes.posts or () if one.id == post_id), None)
