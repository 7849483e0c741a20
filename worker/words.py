"""The words of one tweet, taken apart only as far as somebody asks."""

from __future__ import annotations

from traptor.worker.tokens import piece_text, tags_in, whole_words_of


class Words:
    """What track terms are compared with, for one folded text."""

    __slots__ = ("_piece_set", "_tags", "_whole", "piece_text", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.piece_text = piece_text(text)
        self._piece_set: frozenset[str] | None = None
        self._tags: frozenset[str] | None = None
        self._whole: frozenset[str] | None = None

    @property
    def piece_set(self) -> frozenset[str]:
        """Words parted at punctuation, and names of tags: what a term without punctuation finds."""
        if self._piece_set is None:
            self._piece_set = frozenset(self.piece_text.split())
        return self._piece_set

    @property
    def tags(self) -> frozenset[str]:
        """Hashtags, mentions and cashtags with their marks: what a term with such a mark finds."""
        if self._tags is None:
            self._tags = frozenset(tags_in(self.text))
        return self._tags

    @property
    def whole(self) -> frozenset[str]:
        """Words with the punctuation inside them: what a term with other punctuation finds."""
        if self._whole is None:
            self._whole = frozenset(whole_words_of(self.text))
        return self._whole
