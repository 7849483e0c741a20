"""Find hashtags, mentions and cashtags in a text that went through `fold`, where no entity names them.

Their characters are those of twitter-text (validHashtag, validMentionOrList in its js/src/regexp);
docs/decisions/0001-track-matching.md decides where they begin.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from traptor.worker.match.characters import (
    BEFORE_NO_CASHTAG,
    BEFORE_NO_HASHTAG,
    IN_TAG,
    JOINER,
    LATIN_ACCENT,
    LETTER_OR_MARK,
    WORD,
)

MARKS = "#@$"
# No tag is longer than a tweet; this bounds repeated searches of a long text.
_LONGEST = 280

_HASHTAG = rf"(?<=\#)(?<!{BEFORE_NO_HASHTAG}\#)(?!\u20e3)(?={IN_TAG}*?{LETTER_OR_MARK}){IN_TAG}+(?<!{JOINER})"
_MENTION = rf"(?<=@)(?<![a-z0-9_&/]@)[a-z0-9_]++(?!{LATIN_ACCENT})"
_CASHTAG = rf"(?<=\$)(?<!{BEFORE_NO_CASHTAG}\$)[a-z]+(?!{WORD})"
# The search engine skips to the first class quickly. The group is the name without the mark.
_TAG = re.compile(rf"[#@$]({_HASHTAG}|{_MENTION}|{_CASHTAG})")
# The same for ASCII text, without slow classes that match none of its characters.
_ASCII_TAG = re.compile(
    r"[#@$]((?<=\#)(?<![\w&/]\#)[0-9_]*+[a-z]\w*|(?<=@)(?<![\w&/]@)\w+|(?<=\$)(?<![\w&/]\$)[a-z]+(?!\w))",
    re.ASCII,
)
# With one mark instead of two: searching for a single character takes a fifth of the time.
_ASCII_NAME_WITH_UNDERSCORE = re.compile(r"@(?<![\w&/]@)([a-z0-9]*_\w*)", re.ASCII)
_WITHOUT_LETTER = re.compile(r"(?<!\S)[0-9_]+(?!\S)")


def parted_at_tags(text: str) -> Sequence[str]:
    """Return the text between tags and the names of tags, alternately.

    In ASCII text only tags with `_` count: all others are like words.
    """
    if not text.isascii():
        return _TAG.split(text)
    parts = _ASCII_NAME_WITH_UNDERSCORE.split(text.replace("#", "@"))
    # A hashtag contains a letter.
    return _ASCII_TAG.split(text) if _WITHOUT_LETTER.search(" ".join(parts[1::2])) else parts


def has_tag(text: str, term: str) -> bool:
    """Tell whether `term` is one of the tags of `text`, including its mark."""
    match = (_ASCII_TAG if text.isascii() else _TAG).match
    at = text.find(term)
    while at >= 0:
        found = match(text, at)
        if found is not None and found[0] == term:
            return True
        at = text.find(term, at + 1)
    return False


def is_tag(term: str) -> bool:
    """Tell whether `term` is one hashtag, mention or cashtag."""
    return _TAG.fullmatch(term) is not None


def tag_at(text: str, position: int) -> re.Match[str] | None:
    """Return the tag that begins at `position`.

    Names contain no marks: no tag can begin inside another, wherever the search begins.
    """
    return (_ASCII_TAG if text.isascii() else _TAG).match(text, position)


def tag_around(text: str, position: int) -> re.Match[str] | None:
    """Return the tag that begins before `position` and ends after it."""
    since = max(0, position - _LONGEST)
    mark = max(text.rfind(mark, since, position) for mark in MARKS)
    found = tag_at(text, mark) if mark >= 0 else None
    return found if found is not None and found.end() > position else None
