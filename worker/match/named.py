"""Hashtags, mentions and cashtags that entities name: each is one word, whatever characters it has.

Tags here have their mark in front.
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
    """Return them as they are compared; what joins letters joins none at the end of a word."""
    return [folded[0] + folded[1:].strip(_JOINERS) for folded in map(fold, tags_of(tweet))]


def with_names(text: str, names: Iterable[str], tweet: Tweet) -> tuple[str, bytes]:
    """Return `text` without those tags that would be parted in it, and its pieces, with `names` among them.

    Pieces are as `blanked_pieces` has them; `text` and `names` are what is searched of the tweet.
    """
    blanked = (" ".join(names) + " ").encode().lower()
    if not blanked.translate(None, b" _").isalnum():  # it is for ASCII alone
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
