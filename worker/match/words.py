"""The words of one tweet, taken apart only as far as somebody asks."""

from __future__ import annotations

from traptor.worker.match.tokens import fold, has_tag, whole_words_of


class Words:
    """What track terms are compared with, for one text."""

    __slots__ = ("_folded", "_text", "_whole", "pieces")

    def __init__(self, text: str, pieces: bytes) -> None:
        self._text = text
        self._folded: str | None = None
        self._whole: frozenset[str] | None = None
        self.pieces = pieces
        """Words parted at punctuation, and names of tags, each with blanks around it, in UTF-8.

        What a term without punctuation finds.
        """

    def has_tag(self, tag: str) -> bool:
        """Tell whether it has this hashtag, mention or cashtag: what a term with such a mark finds."""
        return has_tag(self.folded, tag)

    @property
    def folded(self) -> str:
        """The text as it is compared."""
        if self._folded is None:
            self._folded = fold(self._text)
        return self._folded

    @property
    def whole(self) -> frozenset[str]:
        """Words with the punctuation inside them: what a term with other punctuation finds."""
        if self._whole is None:
            self._whole = frozenset(whole_words_of(self.folded))
        return self._whole

    def has_whole(self, term: str) -> bool:
        """Tell whether it has this word with the punctuation inside it."""
        # A whole word stands in the text as it is; most searches end here.
        return term in self.folded and term in self.whole
