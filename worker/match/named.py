"""Hashtags, mentions and cashtags named by entities: each is one word, whatever characters it has.

Tags here include their mark.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from traptor.worker.match.characters import WORD
from traptor.worker.match.searched import tags_of
from traptor.worker.match.tags import is_tag
from traptor.worker.match.tokens import blanked_pieces, fold
from traptor.worker.tweets.tweet import Tweet

_JOINERS = "\u200c\u200d"


def folded_tags(tweet: Tweet) -> list[str]:
    """Return the tags in the form used for comparison; a joiner at the end of a word is dropped."""
    return [folded[0] + folded[1:].strip(_JOINERS) for folded in map(fold, tags_of(tweet))]


def with_names(text: str, names: Iterable[str], tweet: Tweet) -> tuple[str, bytes]:
    """Return `text` without the tags that would be split in it, and its pieces, with `names` among them.

    Pieces have the form of `blanked_pieces`; `text` and `names` are the searched parts of the tweet.
    """
    blanked = (" ".join(names) + " ").encode().lower()
    if not blanked.translate(None, b" _").isalnum():  # the rest is for ASCII only
        tags = folded_tags(tweet)
        blanked = "".join([f"{tag[1:]} " for tag in tags]).encode()
        text = _without(text, tags)
    return text, blanked_pieces(text) + blanked


def _without(text: str, folded_tags: Iterable[str]) -> str:
    odd = [tag for tag in folded_tags if not is_tag(tag)]
    if not odd:
        return text
    folded = fold(text)
    for tag in sorted(odd, key=len, reverse=True):
        folded = re.sub(rf"(?<!{WORD}){re.escape(tag)}(?!{WORD})", " ", folded)
    return folded
