"""The words of one tweet, parsed only as far as a caller needs."""

from __future__ import annotations

from traptor.worker.match.borders import has_word
from traptor.worker.match.named import folded_tags
from traptor.worker.match.tags import has_tag
from traptor.worker.match.tokens import fold
from traptor.worker.tweets.tweet import Tweet


class Words:
    """The text that track terms are compared with, and the tags named by the tweet's entities."""

    __slots__ = ("_folded", "_named", "_text", "_tweet", "pieces")

    def __init__(self, text: str, tweet: Tweet | None, pieces: bytes) -> None:
        self._text = text
        self._folded: str | None = None
        self._tweet = tweet
        self._named: frozenset[str] | None = None
        self.pieces = pieces
        """Words parted at punctuation, and names of tags, each with blanks around it, in UTF-8.

        What a term without punctuation finds.
        """

    def has_tag(self, tag: str) -> bool:
        """Tell whether the tweet has this hashtag, mention or cashtag, for terms with such a mark."""
        return has_tag(self.folded, tag) or tag in self.named

    def has_whole(self, term: str) -> bool:
        """Tell whether the tweet has this word with its inner punctuation, for all other terms."""
        return (term in self.folded and has_word(self.folded, term)) or term in self.named

    @property
    def folded(self) -> str:
        """The text as used for comparison."""
        if self._folded is None:
            self._folded = fold(self._text)
        return self._folded

    @property
    def named(self) -> frozenset[str]:
        """The tags that entities name, with their mark and without."""
        if self._named is None:
            tags = folded_tags(self._tweet) if self._tweet is not None else []
            self._named = frozenset(tags).union(tag[1:] for tag in tags)
        return self._named
