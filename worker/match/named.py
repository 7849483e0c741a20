"""Hashtags, mentions and cashtags named by entities: each is one word, whatever characters it has."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

from traptor.worker.match.characters import WORD
from traptor.worker.match.tags import is_tag
from traptor.worker.match.tokens import fold

_JOINERS = "\u200c\u200d"
_MARKS = b"#@$"
_IN_PLAIN_NAMES = (string.ascii_letters + string.digits + "_").encode()


def with_named(text: str, tags: Sequence[str]) -> tuple[str, bytes, bytes]:
    """Return `text` without the tags that would be split in it, the named tags, and their names.

    `text` and `tags` are the parts that `searched_of` returns. The tags, with their mark and without, are in
    the form of `blanked_pieces`, as are the names, which are the tags without their marks.
    """
    marked = f" {' '.join(tags)} ".encode()
    if len(marked.translate(None, _IN_PLAIN_NAMES)) == 2 * len(tags) + 1:  # nothing but marks and blanks
        marked = marked.lower()
        names = marked.translate(None, _MARKS)
    else:
        folded = [_folded(tag) for tag in tags]
        marked = "".join([f" {tag} " for tag in folded]).encode()
        names = "".join([f" {tag[1:]} " for tag in folded]).encode()
        text = _without(text, folded)
    return text, marked + names, names


def _folded(tag: str) -> str:
    """Return a tag in the form used for comparison; a joiner at the end of a word is dropped."""
    folded = fold(tag)
    return folded[0] + folded[1:].strip(_JOINERS)


def _without(text: str, folded_tags: Sequence[str]) -> str:
    odd = {tag for tag in folded_tags if not is_tag(tag)}
    if not odd:
        return text
    folded = fold(text)
    for tag in sorted(odd, key=len, reverse=True):
        folded = re.sub(rf"(?<!{WORD}){re.escape(tag)}(?!{WORD})", " ", folded)
    return folded
