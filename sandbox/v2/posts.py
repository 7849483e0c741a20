"""The timeline's tweets as X API v2 posts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from traptor.sandbox.tweets.maker import Tweet
from traptor.sandbox.v2.fields import Fields
from traptor.sandbox.v2.language.facts import Facts

Matching = Sequence[tuple[str, str | None]]  # filter id and tag; None or "" without one


@dataclass(frozen=True, slots=True)
class Reads:
    """What one line contains of the kinds that X bills."""

    post_id: str
    included_posts: tuple[str, ...] = ()
    included_users: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a stream without its line end."""

    json: bytes
    reads: Reads


class Post:
    """One tweet of the timeline: its facts, and its line for any choice of fields."""

    id: str

    @property
    def facts(self) -> Facts:
        """What rules can ask about the post."""
        raise NotImplementedError

    def line(self, fields: Fields, matching: Matching) -> Line:
        """Return the line for a stream with these fields, naming the filters that found the post."""
        raise NotImplementedError


def read_post(tweet: Tweet) -> Post | None:
    """Return the tweet as a post; None for a replayed message that is no tweet."""
    raise NotImplementedError
