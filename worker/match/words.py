"""The words of one tweet, parsed only as far as a caller needs."""

from __future__ import annotations

from traptor.worker.match.borders import has_word
from traptor.worker.match.tags import has_tag
from traptor.worker.match.tokens import blanked, fold


class Words:
    """The text that track terms are compared with, and the tags named by the tweet's entities."""

    __slots__ = ("_folded", "_named", "_text", "pieces")

    def __init__(self, text: str, named: bytes, pieces: bytes) -> None:
        """Take the text, the tags that entities name, and the pieces, as from `with_named`."""
        self._text = text
        self._folded: str | None = None
        self._named = named
        self.pieces = pieces
        """Words parted at punctuation, and names of tags, each with blanks around it, in UTF-8.

        What a term without punctuation finds.
        """

    def has_tag(self, tag: str) -> bool:
        """Tell whether the tweet has this hashtag, mention or cashtag, for terms with such a mark."""
        return blanked(tag) in self._named or has_tag(self.folded, tag)

    def has_whole(self, term: str) -> bool:
        """Tell whether the tweet has this word with its inner punctuation, for all other terms."""
        return blanked(term) in self._named or (term in self.folded and has_word(self.folded, term))

    @property
    def folded(self) -> str:
        """The text as used for comparison."""
        if self._folded is None:
            self._folded = fold(self._text)
        return self._folded
