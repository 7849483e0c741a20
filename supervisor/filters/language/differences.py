"""The differences between a clause and the v1.1 value that it stands for, by name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class _About:
    is_loss: bool
    text: str


class Difference(Enum):
    """The named losses and extras of the translation; `text` tells operators what is lost or added."""

    LINK_WORDS = _About(True, "words that stand only in the address behind a link are not found")
    MANUAL_REPLIES = _About(True, "replies typed by hand are found only where X takes them for replies")
    REPLIES = _About(True, "replies to the account are left out by its scope")
    REPOSTS = _About(True, "reposts of its posts by others are left out by its scope")
    LARGE_PLACES = _About(True, "posts whose place is larger than half a tile, about 12 miles, are lost")
    TAG_WORDS = _About(False, "words that _ joins to others in a hashtag or mention are found too")
    PUNCTUATION = _About(False, "the same words with other punctuation between them are found too")
    DOUBLE_QUOTES = _About(False, "a double quote cannot be written: words are found without it, too")
    LONGER_LINKS = _About(False, "links that hold the address within a longer one are found too")

    @property
    def is_loss(self) -> bool:
        """True when something is lost, not added."""
        return self.value.is_loss

    @property
    def text(self) -> str:
        """The loss or the extra, as text."""
        return self.value.text
